// The guest's half of the host protocol. The bundle's completion value is `protocol`; nothing else of it, and none of
// its functions, is reachable from user code.
import { installGlobals } from "./globals";
import { bind, invoke } from "./invocation/invoke";
import { rejection } from "./logging/rejections";
import { complete } from "./operations";
import { hideFrameFunctions } from "./stack-frames";

hideFrameFunctions();
installGlobals();

export const protocol = { bind, invoke, complete, rejection };
