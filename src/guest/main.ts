// The guest's half of the host protocol. The bundle's completion value is `protocol`; nothing else of it, and none of
// its functions, is reachable from user code.
import { installGlobals } from "./platform/globals";
import { bind, invoke } from "./invocation/invoke";
import { rejection } from "./platform/logging/rejections";
import { complete } from "./platform/operations";
import { hideFrameFunctions } from "./platform/stack-frames";

hideFrameFunctions();
installGlobals();

export const protocol = { bind, invoke, complete, rejection };
