using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runtime;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>A value of a script: an argument, or what a result must look like.</summary>
internal sealed record ScriptValue(ValueType Type, string Text)
{
    private const uint CanonicalNaN32 = 0x7FC00000;
    private const ulong CanonicalNaN64 = 0x7FF8000000000000;

    public static ScriptValue Parse(JsonElement element) => new(
        element.GetProperty("type").GetString() switch
        {
            "i32" => ValueType.I32,
            "i64" => ValueType.I64,
            "f32" => ValueType.F32,
            "f64" => ValueType.F64,
            "funcref" => ValueType.FuncRef,
            "externref" => ValueType.ExternRef,
            var other => throw new NotSupportedException($"The type {other}."),
        },
        element.TryGetProperty("value", out var value) ? value.GetString()! : "any");

    /// <summary>The value as 64 bits. Host references count from 1, for 0 is null.</summary>
    public ulong Bits => Type switch
    {
        _ when Text == "null" => 0,
        ValueType.ExternRef => Number + 1,
        _ => Number,
    };

    /// <summary>Whether a result, read from its cell, is what the script expects.</summary>
    public bool Matches(ulong bits, FunctionReference function) => (Type, Text) switch
    {
        (ValueType.F32, "nan:canonical") => ((uint)bits & 0x7FFFFFFF) == CanonicalNaN32,
        (ValueType.F32, "nan:arithmetic") => ((uint)bits & CanonicalNaN32) == CanonicalNaN32,
        (ValueType.F64, "nan:canonical") => (bits & 0x7FFFFFFFFFFFFFFF) == CanonicalNaN64,
        (ValueType.F64, "nan:arithmetic") => (bits & CanonicalNaN64) == CanonicalNaN64,
        (ValueType.FuncRef, "null") => function.Code == 0,
        (ValueType.FuncRef, _) => function.Code != 0,
        (ValueType.ExternRef, "any") => bits != 0,
        (ValueType.I32 or ValueType.F32, _) => (uint)bits == (uint)Bits,
        _ => bits == Bits,
    };

    public override string ToString() => $"{Type}:{Text}";

    private ulong Number => ulong.Parse(Text, CultureInfo.InvariantCulture);
}
