// performance: the invocation's own clock, for the engine's began when the snapshot was made.
import { now } from "../host";
import { invocationIfAny } from "../invocation/current";

export const performance = {
  /** Milliseconds since the invocation began; 0 while the module loads. */
  now: (): number => (invocationIfAny() === undefined ? 0 : now()),
  /** When the invocation began, in milliseconds since 1970. */
  get timeOrigin(): number {
    return invocationIfAny()?.message.now ?? 0;
  },
  toJSON: () => ({ timeOrigin: performance.timeOrigin }),
};
