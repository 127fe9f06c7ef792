namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>Why compiled WebAssembly code stopped.</summary>
public enum TrapKind
{
    /// <summary>The <c>unreachable</c> instruction was executed.</summary>
    Unreachable,

    /// <summary>A load, store or bulk operation touched bytes outside linear memory.</summary>
    OutOfBoundsMemory,

    /// <summary>A table operation touched elements outside the table.</summary>
    OutOfBoundsTable,

    /// <summary>An integer division or remainder by zero.</summary>
    IntegerDivideByZero,

    /// <summary>An integer division or a float to integer conversion left the range of its result.</summary>
    IntegerOverflow,

    /// <summary>A NaN was converted to an integer.</summary>
    InvalidConversion,

    /// <summary><c>call_indirect</c> through a null element.</summary>
    UninitializedElement,

    /// <summary><c>call_indirect</c> through a function of another type.</summary>
    IndirectCallTypeMismatch,

    /// <summary>The guest's share of the native stack is used up.</summary>
    StackOverflow,

    /// <summary>The host interrupted the run; see <see cref="WasmTrapException.InterruptReason"/>.</summary>
    Interrupted,

    /// <summary>The instance has executed as many instructions as its fuel allowed; only in code that counts them.</summary>
    OutOfFuel,

    /// <summary>Any other trap, a null reference or an uncaught exception for instance; the message says which.</summary>
    Other,
}
