using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>
/// The type of a value. For a reference, <paramref name="Heap"/> is what it refers to: the index of a type, or the code of an abstract one,
/// which is negative.
/// </summary>
internal readonly record struct ValueType(byte Code, long Heap = 0)
{
    public const byte I32 = 0x7F,
        I64 = 0x7E,
        F32 = 0x7D,
        F64 = 0x7C,
        V128 = 0x7B;

    /// <summary>The abstract type of all functions, as a signed number of 33 bits.</summary>
    private const long AnyFunction = -0x10;

    private const byte FunctionReference = 0x70,
        NullableReference = 0x63,
        Reference = 0x64;

    public bool IsNumber => Code is I32 or I64 or F32 or F64 or V128;

    /// <summary>Whether it can only refer to functions.</summary>
    public bool IsFunction(IReadOnlyList<FunctionSignature?> types) =>
        Code == FunctionReference
        || (
            Code is NullableReference or Reference
            && (Heap == AnyFunction || (Heap >= 0 && Heap < types.Count && types[(int)Heap] is not null))
        );

    public override string ToString() =>
        Code switch
        {
            I32 => "i32",
            I64 => "i64",
            F32 => "f32",
            F64 => "f64",
            V128 => "v128",
            _ => "a reference",
        };

    public static ValueType Read(ref ModuleReader reader)
    {
        var code = reader.Byte();
        return code is NullableReference or Reference ? new ValueType(code, reader.S64()) : new ValueType(code);
    }
}

/// <summary>The type of a function.</summary>
internal sealed record FunctionSignature(ValueType[] Parameters, ValueType[] Results)
{
    /// <summary>In the form <c>iIi:i</c> if it has only numbers; else a text that no host function has.</summary>
    public string Code => string.Concat(Parameters.Select(Letter)) + ":" + string.Concat(Results.Select(Letter));

    public override string ToString() => $"({string.Join(", ", Parameters)}) -> ({string.Join(", ", Results)})";

    public bool Is(ReadOnlySpan<byte> parameters, ReadOnlySpan<byte> results) =>
        Matches(Parameters, parameters) && Matches(Results, results);

    /// <summary>Reads the section of types: <see langword="null"/> for those of other than functions.</summary>
    public static List<FunctionSignature?> ReadAll(ref ModuleReader reader)
    {
        const byte RecursiveGroup = 0x4E;
        var types = new List<FunctionSignature?>();
        for (var groups = reader.Count(); groups > 0; groups--)
        {
            var start = reader;
            if (reader.Byte() != RecursiveGroup)
            {
                reader = start;
                types.Add(Read(ref reader));
                continue;
            }
            for (var members = reader.Count(); members > 0; members--)
                types.Add(Read(ref reader));
        }
        return types;
    }

    private static FunctionSignature? Read(ref ModuleReader reader)
    {
        const byte Open = 0x50,
            Final = 0x4F,
            Function = 0x60,
            Structure = 0x5F,
            Array = 0x5E;
        var form = reader.Byte();
        if (form is Open or Final)
        {
            for (var supertypes = reader.Count(); supertypes > 0; supertypes--)
                reader.U32();
            form = reader.Byte();
        }
        switch (form)
        {
            case Function:
                return new FunctionSignature(ReadValues(ref reader), ReadValues(ref reader));
            case Structure:
                for (var fields = reader.Count(); fields > 0; fields--)
                    SkipField(ref reader);
                return null;
            case Array:
                SkipField(ref reader);
                return null;
            default:
                throw new ModuleException($"The module has a type of the unknown form {form:x2}.");
        }
    }

    private static ValueType[] ReadValues(ref ModuleReader reader)
    {
        var values = new ValueType[reader.Count()];
        for (var index = 0; index < values.Length; index++)
            values[index] = ValueType.Read(ref reader);
        return values;
    }

    /// <summary>A field's type, packed ones included, and whether it is mutable.</summary>
    private static void SkipField(ref ModuleReader reader)
    {
        ValueType.Read(ref reader);
        reader.Byte();
    }

    private static bool Matches(ValueType[] types, ReadOnlySpan<byte> codes)
    {
        if (types.Length != codes.Length)
            return false;
        for (var index = 0; index < codes.Length; index++)
        {
            if (types[index].Code != codes[index])
                return false;
        }
        return true;
    }

    private static char Letter(ValueType type) =>
        type.Code switch
        {
            ValueType.I32 => 'i',
            ValueType.I64 => 'I',
            ValueType.F32 => 'f',
            ValueType.F64 => 'F',
            _ => '?',
        };
}
