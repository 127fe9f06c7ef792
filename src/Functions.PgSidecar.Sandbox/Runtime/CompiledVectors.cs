using System.ComponentModel;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// The vector instructions (section 4.4.3 of the specification), a method each, named as the <see cref="Wasm.Opcode"/> is. A vector travels as 16 bytes;
/// each method takes it for lanes of what it works on. The library's methods become the processor's instructions, or several of them where it has none.
/// Their code is spliced into compiled modules (<see cref="Compilation.VectorSplicer"/>): it keeps to arguments, constants and calls, without branches.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static partial class CompiledVectors;
