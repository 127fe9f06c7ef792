using System.ComponentModel;
using System.Runtime.CompilerServices;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>What compiled modules call. Public because their code lives in other assemblies; not for use by anything else.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static unsafe partial class CompiledCode
{
    public static Exception TrapUnreachable() => new WasmTrapException(TrapKind.Unreachable);

    public static Exception TrapOutOfBoundsMemory() => new WasmTrapException(TrapKind.OutOfBoundsMemory);

    public static Exception TrapOutOfBoundsTable() => new WasmTrapException(TrapKind.OutOfBoundsTable);

    public static Exception TrapDivideByZero() => new WasmTrapException(TrapKind.IntegerDivideByZero);

    public static Exception TrapOverflow() => new WasmTrapException(TrapKind.IntegerOverflow);

    public static Exception TrapUndefinedElement() => new WasmTrapException(TrapKind.UndefinedElement);

    public static Exception TrapOutOfFuel() => new WasmTrapException(TrapKind.OutOfFuel);

    /// <summary>Throws the trap that a fault stands for, if the guest's code met it; goes on if the host's did, whose error it is then.</summary>
    public static void TrapFault(Exception fault, nint context)
    {
        var code = fault.TargetSite?.DeclaringType?.Assembly;
        if (WasmInstance.FromContext(context).Placement.Modules.Exists(module => module.Module.Code.Assembly == code))
            throw new WasmTrapException(TrapKind.OutOfBoundsMemory);
    }

    /// <summary>A side module called a function that nothing in its group defines.</summary>
    public static Exception TrapUnresolved(int import, nint context)
    {
        var module = WasmInstance.FromContext(context).ModuleOf(context).Module;
        var functions = module.Definition.Imports.Where(candidate => candidate.Kind == Wasm.ExternalKind.Function);
        return new WasmTrapException(TrapKind.UnresolvedSymbol, $"unresolved symbol {functions.ElementAt(import).Name} in {module.Name}");
    }

    /// <summary>An indirect call found an element of another type, or none.</summary>
    public static Exception TrapSignature(nint element) => new WasmTrapException(
        ((FunctionReference*)element)->TypeId == 0 ? TrapKind.UninitializedElement : TrapKind.IndirectCallTypeMismatch);

    /// <summary>A loop's check found the interrupt word set.</summary>
    public static Exception TrapInterrupted(nint context) =>
        new WasmTrapException(TrapKind.Interrupted, interruptReason: Volatile.Read(ref ((ModuleContext*)context)->Interrupt));

    /// <summary>A function's entry check failed: the stack is used up, or an interrupt has raised the limit above any stack.</summary>
    public static Exception TrapEntry(nint context)
    {
        return Volatile.Read(ref ((ModuleContext*)context)->Interrupt) != 0
            ? TrapInterrupted(context)
            : new WasmTrapException(TrapKind.StackOverflow);
    }

    internal static void CheckInterrupt(nint context)
    {
        if (Volatile.Read(ref ((ModuleContext*)context)->Interrupt) != 0)
            throw TrapInterrupted(context);
    }

    public static int TruncateToInt32(double value) => (int)Checked(value, -2147483649.0, 2147483648.0);

    public static int TruncateToUInt32(double value) => (int)(uint)Checked(value, -1.0, 4294967296.0);

    public static long TruncateToInt64(double value)
    {
        // -2^63 itself is in range, and the next double below it is far away.
        if (value == -9223372036854775808.0)
            return long.MinValue;
        return (long)Checked(value, -9223372036854775808.0, 9223372036854775808.0);
    }

    public static long TruncateToUInt64(double value) => (long)(ulong)Checked(value, -1.0, 18446744073709551616.0);

    /// <summary>A float of these bits, which the caller's compiler must not know.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float SingleFromBits(int bits) => BitConverter.Int32BitsToSingle(bits);

    /// <summary>The same number; if it is NaN, a quiet one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float QuietSingle(float value) => float.IsNaN(value) ? value + value : value;

    /// <inheritdoc cref="QuietSingle"/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static double QuietDouble(double value) => double.IsNaN(value) ? value + value : value;

    /// <summary>Converts with one rounding, as the hardware would if it had the instruction.</summary>
    public static float UInt64ToSingle(long value)
    {
        if (value >= 0)
            return value;
        // Halve, keeping the lost bit sticky so that ties still round to even, then double exactly.
        return (float)(long)(((ulong)value >> 1) | ((ulong)value & 1)) * 2f;
    }

    private static double Checked(double value, double above, double below)
    {
        if (value > above && value < below)
            return value;
        throw new WasmTrapException(double.IsNaN(value) ? TrapKind.InvalidConversion : TrapKind.IntegerOverflow);
    }
}
