/* eslint-disable @typescript-eslint/no-unsafe-member-access --
   the template is JSON of CloudFormation's, looked into by path */
/** The template of a shop whose checkouts go by events: queues, who answers them, and who may do what with them. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MOST_RECEIVES } from "../../host/queues/create-queues.ts";
import { SERVICES } from "../../functions/settings/services.ts";
import {
  functions,
  ofType,
  packaged,
  removeTemporaryFolders,
  type Package,
  type Resource,
} from "./support/packaged.ts";

const MINUTES = 60_000;
const require = createRequire(import.meta.url);

let made: Package;
beforeAll(() => {
  made = packaged({ saga: "events" });
}, 5 * MINUTES);
afterAll(removeTemporaryFolders);

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
const arn = (id: string): object => ({ "Fn::GetAtt": [id, "Arn"] });
const others = (service: string): string[] => SERVICES.filter((name) => name !== service);
const functionOf = (name: string): Resource => {
  const found = functions(made).find(([, { Properties }]) => String(Properties.FunctionName).endsWith(`-${name}`));
  if (found === undefined) throw new Error(`${name} is not there`);
  return found[1];
};
interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

test.each(SERVICES)(
  "%s has a queue whose messages are tried for minutes, and then kept where somebody sees them",
  (service) => {
    const { RedrivePolicy, VisibilityTimeout } = made.resources[`${capital(service)}Queue`]?.Properties as {
      RedrivePolicy: object;
      VisibilityTimeout: number;
    };
    const dead = `${capital(service)}DeadLetters`;
    expect(RedrivePolicy).toEqual({ deadLetterTargetArn: arn(dead), maxReceiveCount: MOST_RECEIVES });
    expect(made.resources[dead]?.Properties.MessageRetentionPeriod).toBe(1_209_600);
    // As AWS advises; a message that is worked on is not given to somebody else.
    expect(VisibilityTimeout).toBeGreaterThanOrEqual(6 * Number(functionOf(`${service}-on-events`).Properties.Timeout));
  },
);

test.each(SERVICES)("%s answers its queue in batches, of which parts may fail, once it may", (service) => {
  const name = capital(service);
  const mapping = ofType(made, "AWS::Lambda::EventSourceMapping").find(
    ([, { Properties }]) => JSON.stringify(Properties.EventSourceArn) === JSON.stringify(arn(`${name}Queue`)),
  );
  expect(mapping?.[1].Properties).toMatchObject({ BatchSize: 10, FunctionResponseTypes: ["ReportBatchItemFailures"] });
  expect(mapping?.[1].DependsOn).toContain(`${name}QueuePolicy`);
});

test.each(SERVICES)(
  "%s may receive from its own queue, send to those of the others, and read the secret it signs with",
  (service) => {
    const { Roles, PolicyDocument } = made.resources[`${capital(service)}QueuePolicy`]?.Properties as {
      Roles: { Ref: string }[];
      PolicyDocument: { Statement: Statement[] };
    };
    const [receive, send, ...more] = PolicyDocument.Statement;
    expect(more).toEqual([]);
    expect(receive?.Resource).toEqual(arn(`${capital(service)}Queue`));
    expect(send).toMatchObject({ Action: "sqs:SendMessage" });
    const queues = others(service).map((other) => JSON.stringify(arn(`${capital(other)}Queue`)));
    expect((send?.Resource as object[]).map((one) => JSON.stringify(one)).sort()).toEqual(queues.sort());

    const users = [`${service}-on-events`, ...(service === "order" ? ["order-checkout", "order-resume-sagas"] : [])];
    for (const name of users) {
      const { Role, Environment } = functionOf(name).Properties as {
        Role: { "Fn::GetAtt": [string, "Arn"] };
        Environment: { Variables: Record<string, unknown> };
      };
      const [role] = Role["Fn::GetAtt"];
      expect(Roles).toEqual([{ Ref: role }]);
      const { Policies } = made.resources[role]?.Properties as {
        Policies: { PolicyDocument: { Statement: Statement[] } }[];
      };
      const actions = Policies.flatMap(({ PolicyDocument: { Statement } }) =>
        Statement.flatMap(({ Action }) => Action),
      );
      expect(actions).toContain("secretsmanager:GetSecretValue");
      for (const other of SERVICES) expect(Environment.Variables[`QUEUE_URL_${other.toUpperCase()}`]).toBeDefined();
      expect(Environment.Variables["SAGA"]).toBe("events");
    }
  },
);

test("where checkouts go by calls there are no queues", async () => {
  const make = require(join(import.meta.dirname, "..", "resources", "queues.cjs")) as (
    context: object,
  ) => Promise<{ Resources: object }>;
  expect(await make({ resolveVariable: async (name: string) => (name === "param:saga" ? "sync" : "x") })).toEqual({
    Resources: {},
  });
});
