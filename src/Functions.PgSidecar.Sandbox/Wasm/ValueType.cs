namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>A value type, numbered as in the binary format (section 5.3.1 to 5.3.4).</summary>
public enum ValueType : byte
{
    /// <summary>Any type at all: what an instruction pops in unreachable code. Never part of a module.</summary>
    Unknown = 0,
    I32 = 0x7F,
    I64 = 0x7E,
    F32 = 0x7D,
    F64 = 0x7C,
    V128 = 0x7B,
    FuncRef = 0x70,
    ExternRef = 0x6F,
}
