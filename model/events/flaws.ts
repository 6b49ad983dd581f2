/** The traps of the checkout by events: each one, switched on, takes one precaution out of it. */
export const EVENT_FLAWS = {
  "delete before the follow-up is sent":
    "a message is deleted once its effect is durable, and what follows is sent after that",
  "no tombstone for a message": "a release or a refund that comes before its step leaves no marker",
  "no resend": "what a queue has lost is not sent again",
  "close before both answers": "a saga that is given up has failed with the first answer",
  "events go on with calls": "a checkout whose driver calls the services is sent by events as well",
  "a late charge pays": "a charge that is told to a saga which is being given up makes its order paid",
} as const;

export type EventFlaw = keyof typeof EVENT_FLAWS;
