/** What the names of S3's hosts end with, by the partition that a region belongs to. */
const PARTITIONS: readonly (readonly [region: RegExp, domain: string])[] = [
  [/^cn-/, "amazonaws.com.cn"],
  [/^eusc-/, "amazonaws.eu"],
  [/^us-iso-/, "c2s.ic.gov"],
  [/^us-isob-/, "sc2s.sgov.gov"],
  [/^us-isof-/, "csp.hci.ic.gov"],
  [/^eu-isoe-/, "cloud.adc-e.uk"],
];

/**
 * Where a bucket is, with a slash at the end. Of an `endpoint`, and where the name has dots, which no certificate of S3's fits,
 * the bucket is in the path.
 */
export function bucketUrl(bucket: string, region: string, endpoint?: string): string {
  const domain = PARTITIONS.find(([pattern]) => pattern.test(region))?.[1] ?? "amazonaws.com";
  if (endpoint === undefined && !bucket.includes(".")) return `https://${bucket}.s3.${region}.${domain}/`;
  return `${endpoint?.replace(/\/$/, "") ?? `https://s3.${region}.${domain}`}/${bucket}/`;
}
