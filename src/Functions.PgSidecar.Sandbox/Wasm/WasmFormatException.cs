namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>A module is malformed, invalid, uses a feature that is not supported, or passes a stated limit (<see cref="WasmLimits"/>).</summary>
public sealed class WasmFormatException : Exception
{
    public WasmFormatException(string reason, int offset)
        : base($"{reason} (at byte {offset})")
    {
        Reason = reason;
        Offset = offset;
    }

    /// <summary>What is wrong, in the words of the specification where it has some.</summary>
    public string Reason { get; }

    /// <summary>Where in the module, in bytes from its beginning.</summary>
    public int Offset { get; }
}
