// performance: the invocation's own clock, because the engine's started when the snapshot was made.
import { now } from "../host";
import { invocationIfAny } from "../../invocation/current";

export const performance = {
  /** Milliseconds since the invocation began; 0 while the module loads. */
  now(): number {
    // Always call the host: it warns about values that are read while the module loads.
    const elapsed = now();
    return invocationIfAny() === undefined ? 0 : elapsed;
  },
  /** When the invocation began, in milliseconds since 1970. */
  get timeOrigin(): number {
    return invocationIfAny()?.message.now ?? 0;
  },
  toJSON: () => ({ timeOrigin: performance.timeOrigin }),
};
