using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runtime;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>A value of a script: an argument, or what a result must look like.</summary>
/// <param name="LaneBits">The width of what each text is: a lane of a vector, or the whole value.</param>
/// <param name="Texts">A vector's lanes, the lowest first, or one number.</param>
internal sealed record ScriptValue(ValueType Type, int LaneBits, string[] Texts)
{
    private const uint CanonicalNaN32 = 0x7FC00000;
    private const ulong CanonicalNaN64 = 0x7FF8000000000000;

    public static ScriptValue Parse(JsonElement element)
    {
        var type = element.GetProperty("type").GetString()!;
        if (type == "v128")
        {
            var lanes = element.GetProperty("value").EnumerateArray().Select(lane => lane.GetString()!).ToArray();
            return new ScriptValue(ValueType.V128, 128 / lanes.Length, lanes);
        }

        var text = element.TryGetProperty("value", out var value) ? value.GetString()! : "any";
        return type switch
        {
            "i32" => new ScriptValue(ValueType.I32, 32, [text]),
            "i64" => new ScriptValue(ValueType.I64, 64, [text]),
            "f32" => new ScriptValue(ValueType.F32, 32, [text]),
            "f64" => new ScriptValue(ValueType.F64, 64, [text]),
            "funcref" => new ScriptValue(ValueType.FuncRef, 64, [text]),
            "externref" => new ScriptValue(ValueType.ExternRef, 64, [text]),
            _ => throw new NotSupportedException($"The type {type}."),
        };
    }

    /// <summary>The value as it lies in its cell. Host references count from 1, for 0 is null.</summary>
    public UInt128 Bits
    {
        get
        {
            if (Texts[0] == "null")
                return 0;
            var bits = UInt128.Zero;
            for (var lane = Texts.Length - 1; lane >= 0; lane--)
                bits = (Texts.Length == 1 ? 0 : bits << LaneBits) | Number(Texts[lane]);
            return Type == ValueType.ExternRef ? bits + 1 : bits;
        }
    }

    /// <summary>Whether a result, read from its cell, is what the script expects.</summary>
    public bool Matches(UInt128 bits, FunctionReference function) => (Type, Texts[0]) switch
    {
        (ValueType.FuncRef, "null") => function.Code == 0,
        (ValueType.FuncRef, _) => function.Code != 0,
        (ValueType.ExternRef, "any") => (ulong)bits != 0,
        (ValueType.ExternRef, _) => (ulong)bits == (ulong)Bits,
        _ => Texts.Select((text, lane) => LaneMatches(text, (ulong)(bits >> (lane * LaneBits)))).All(matches => matches),
    };

    public override string ToString() => $"{Type}:{string.Join(' ', Texts)}";

    private bool LaneMatches(string text, ulong bits) => (LaneBits, text) switch
    {
        (32, "nan:canonical") => ((uint)bits & 0x7FFFFFFF) == CanonicalNaN32,
        (32, "nan:arithmetic") => ((uint)bits & CanonicalNaN32) == CanonicalNaN32,
        (_, "nan:canonical") => (bits & 0x7FFFFFFFFFFFFFFF) == CanonicalNaN64,
        (_, "nan:arithmetic") => (bits & CanonicalNaN64) == CanonicalNaN64,
        _ => ((bits ^ Number(text)) & (LaneBits == 64 ? ulong.MaxValue : (1ul << LaneBits) - 1)) == 0,
    };

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
