// performance: the invocation's own clock, for the engine's began when the snapshot was made.
import { now } from "../host";
import { invocationIfAny } from "../invocation/current";

export const performance = {
  /** Milliseconds since the invocation began; 0 while the module loads. */
  now(): number {
    // The host is asked in any case: it warns of values that are drawn while the module loads.
    const elapsed = now();
    return invocationIfAny() === undefined ? 0 : elapsed;
  },
  /** When the invocation began, in milliseconds since 1970. */
  get timeOrigin(): number {
    return invocationIfAny()?.message.now ?? 0;
  },
  toJSON: () => ({ timeOrigin: performance.timeOrigin }),
};
