namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>WebAssembly code trapped. The state of its instance is inconsistent: dispose it, never call it again.</summary>
public sealed class WasmTrapException : Exception
{
    public WasmTrapException(TrapKind kind, string? detail = null, int interruptReason = 0)
        : base(detail ?? Describe(kind))
    {
        Kind = kind;
        InterruptReason = interruptReason;
    }

    /// <summary>What happened.</summary>
    public TrapKind Kind { get; }

    /// <summary>The reason of the interrupt; 0 for every other kind of trap.</summary>
    public int InterruptReason { get; }

    private static string Describe(TrapKind kind) =>
        kind switch
        {
            TrapKind.Unreachable => "unreachable",
            TrapKind.OutOfBoundsMemory => "out of bounds memory access",
            TrapKind.OutOfBoundsTable => "out of bounds table access",
            TrapKind.IntegerDivideByZero => "integer divide by zero",
            TrapKind.IntegerOverflow => "integer overflow",
            TrapKind.InvalidConversion => "invalid conversion to integer",
            TrapKind.UninitializedElement => "uninitialized element",
            TrapKind.IndirectCallTypeMismatch => "indirect call type mismatch",
            TrapKind.StackOverflow => "call stack exhausted",
            TrapKind.Interrupted => "interrupted",
            TrapKind.OutOfFuel => "out of fuel",
            _ => "trap",
        };
}
