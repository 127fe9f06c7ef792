using System.Text;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Builds small WebAssembly modules in the binary format, so that these tests need no tools.</summary>
internal sealed class ModuleAssembler
{
    public const byte I32 = 0x7F,
        I64 = 0x7E,
        FuncRef = 0x70;

    private readonly List<byte[]> types = [];
    private readonly List<byte[]> imports = [];
    private readonly List<int> functionTypes = [];
    private readonly List<byte[]> bodies = [];
    private readonly List<byte[]> exports = [];
    private readonly List<byte[]> globals = [];
    private readonly List<byte[]> elements = [];
    private readonly List<byte[]> data = [];
    private readonly List<byte[]> otherMemories = [];
    private byte[]? memory;
    private byte[]? table;
    private int? start;

    public int Type(byte[] parameters, byte[] results)
    {
        types.Add([0x60, .. Vector(parameters), .. Vector(results)]);
        return types.Count - 1;
    }

    /// <summary>Adds a type of any form, as bytes.</summary>
    public int RawType(params byte[] type)
    {
        types.Add(type);
        return types.Count - 1;
    }

    /// <summary>Adds a global: its type, whether it can change, its value and the end.</summary>
    public int RawGlobal(params byte[] global)
    {
        globals.Add(global);
        return globals.Count - 1;
    }

    /// <summary>Adds a memory beside the exported one: its limits as bytes.</summary>
    public void OtherMemory(params byte[] limits) => otherMemories.Add(limits);

    /// <summary>Adds a data segment as bytes.</summary>
    public void RawData(params byte[] segment) => data.Add(segment);

    /// <summary>Exports what there is.</summary>
    public void Export(string name, byte kind, int index) => exports.Add([.. Name(name), kind, .. Unsigned(index)]);

    /// <summary>Imports a function. Imports come before functions.</summary>
    public int Import(string module, string name, int type)
    {
        imports.Add([.. Name(module), .. Name(name), 0, .. Unsigned(type)]);
        return imports.Count - 1;
    }

    /// <summary>Adds a function; the code ends with its <c>end</c> (0B). Locals are i32.</summary>
    public int Function(int type, int locals, params byte[] code)
    {
        byte[] declared = locals == 0 ? [0] : [1, .. Unsigned(locals), I32];
        functionTypes.Add(type);
        bodies.Add([.. Unsigned(declared.Length + code.Length), .. declared, .. code]);
        return imports.Count + functionTypes.Count - 1;
    }

    /// <summary>Adds a function whose locals and code are bytes.</summary>
    public int RawFunction(int type, params byte[] body)
    {
        functionTypes.Add(type);
        bodies.Add([.. Unsigned(body.Length), .. body]);
        return imports.Count + functionTypes.Count - 1;
    }

    /// <summary>Adds an exported function.</summary>
    public int Export(string name, int type, int locals, params byte[] code)
    {
        var index = Function(type, locals, code);
        exports.Add([.. Name(name), 0, .. Unsigned(index)]);
        return index;
    }

    public ModuleAssembler Memory(int minimum, int? maximum = null)
    {
        memory = [.. Limits(minimum, maximum)];
        exports.Add([.. Name("memory"), 2, 0]);
        return this;
    }

    public ModuleAssembler Table(int minimum, int? maximum = null)
    {
        table = [FuncRef, .. Limits(minimum, maximum)];
        return this;
    }

    /// <summary>Names the function that runs when the module is instantiated.</summary>
    public void Start(int function) => start = function;

    /// <summary>A mutable i32 global that begins as a number.</summary>
    public int Global(int initial)
    {
        globals.Add([I32, 1, .. Constant(initial), 0x0B]);
        return globals.Count - 1;
    }

    public void Elements(int offset, params int[] functions) =>
        elements.Add([
            0,
            .. Constant(offset),
            0x0B,
            .. Unsigned(functions.Length),
            .. functions.SelectMany(function => Unsigned(function)),
        ]);

    /// <summary>Functions for <c>table.init</c>.</summary>
    public void PassiveElements(int count, int function) =>
        elements.Add([
            1,
            0,
            .. Unsigned(count),
            .. Enumerable.Repeat(Unsigned(function).ToArray(), count).SelectMany(static index => index),
        ]);

    public void Data(int offset, params byte[] bytes) => data.Add([0, .. Constant(offset), 0x0B, .. Vector(bytes)]);

    public byte[] Build() =>
        [
            0x00,
            0x61,
            0x73,
            0x6D,
            1,
            0,
            0,
            0,
            .. Section(1, types),
            .. Section(2, imports),
            .. Section(3, [.. functionTypes.Select(type => Unsigned(type).ToArray())]),
            .. Section(4, table is null ? [] : [table]),
            .. Section(5, memory is null ? otherMemories : [memory, .. otherMemories]),
            .. Section(6, globals),
            .. Section(7, exports),
            .. StartSection(),
            .. Section(9, elements),
            .. DataCountSection(),
            .. Section(10, bodies),
            .. Section(11, data),
        ];

    private byte[] DataCountSection() => data.Count > 0 ? [12, (byte)Unsigned(data.Count).Count(), .. Unsigned(data.Count)] : [];

    private byte[] StartSection() => start is { } function ? [8, (byte)Unsigned(function).Count(), .. Unsigned(function)] : [];

    /// <summary><c>i32.const</c>.</summary>
    public static byte[] Constant(int value)
    {
        var bytes = new List<byte> { 0x41 };
        while (true)
        {
            var low = (byte)(value & 0x7F);
            value >>= 7;
            if ((value == 0 && (low & 0x40) == 0) || (value == -1 && (low & 0x40) != 0))
                return [.. bytes, low];
            bytes.Add((byte)(low | 0x80));
        }
    }

    public static IEnumerable<byte> Unsigned(long value)
    {
        for (; value > 0x7F; value >>= 7)
            yield return (byte)(value & 0x7F | 0x80);
        yield return (byte)value;
    }

    private static IEnumerable<byte> Limits(int minimum, int? maximum) =>
        maximum is { } most ? [1, .. Unsigned(minimum), .. Unsigned(most)] : [0, .. Unsigned(minimum)];

    private static IEnumerable<byte> Vector(byte[] bytes) => [.. Unsigned(bytes.Length), .. bytes];

    private static IEnumerable<byte> Name(string name) => Vector(Encoding.UTF8.GetBytes(name));

    private static byte[] Section(byte id, List<byte[]> items)
    {
        if (items.Count == 0)
            return [];
        byte[] content = [.. Unsigned(items.Count), .. items.SelectMany(item => item)];
        return [id, .. Unsigned(content.Length), .. content];
    }
}
