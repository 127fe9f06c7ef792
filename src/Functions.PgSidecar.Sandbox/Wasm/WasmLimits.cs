namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>
/// What a module may ask for at most, so that compiling it takes bounded time and memory. Where a limit exists in the WebAssembly JavaScript
/// Interface's implementation limits this is that one or a smaller one.
/// </summary>
public static class WasmLimits
{
    public const int ModuleBytes = 64 * 1024 * 1024;
    public const int Types = 20_000;
    public const int Functions = 100_000;
    public const int Imports = 20_000;
    public const int Exports = 20_000;
    public const int Globals = 50_000;
    public const int Tables = 16;
    public const int Segments = 50_000;

    /// <summary>Elements a table may start with or grow to: 16 bytes each, reserved when the instance starts, besides its memory limit.</summary>
    public const int TableElements = 200_000;

    /// <summary>Parameters of a function, and of a block.</summary>
    public const int Parameters = 255;

    /// <summary>Results of a function, and of a block; those after the first travel through a fixed area of the instance.</summary>
    public const int Results = 128;

    public const int FunctionBodyBytes = 2 * 1024 * 1024;
    /// <summary>The intermediate code one function may become: a call of many parameters is two bytes here and hundreds there.</summary>
    public const int FunctionCilBytes = 4 * 1024 * 1024;

    public const int FunctionLocals = 10_000;

    /// <summary>Blocks inside one another in a function.</summary>
    public const int Nesting = 2_000;

    /// <summary>Values on the operand stack of one function.</summary>
    public const int OperandStack = 20_000;

    public const int BranchTableTargets = 65_520;

    /// <summary>Instructions in a constant expression.</summary>
    public const int ConstantInstructions = 1_000;

    /// <summary>64 KiB pages of the largest memory that 32 bits can address.</summary>
    public const int MemoryPages = 65_536;
}
