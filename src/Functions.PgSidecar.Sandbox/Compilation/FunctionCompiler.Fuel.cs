using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Fuel, where the image counts it. A run of instructions is paid for as a whole before its first one, so that a loop pays once a round. What is left is
/// in a local of the function; around calls, which use it too, it is in the instance's header.
/// </summary>
internal sealed partial class FunctionCompiler
{
    private LocalBuilder? fuel;
    private bool beginsRun = true;

    private void BeginFuel()
    {
        if (!module.Options.CountFuel)
            return;
        fuel = cil.NewLocal(typeof(long));
        LoadFuel();
    }

    /// <summary>Pays for the run that begins with the next instruction, if one does. The CIL stack is empty there.</summary>
    private void PayForRun()
    {
        if (fuel is null || !beginsRun)
            return;
        beginsRun = false;
        var price = FuelPrices.OfRun(body.Instructions.AsSpan(next));
        if (price == 0)
            return;
        cil.Load(fuel);
        cil.Long(price);
        Pay();
    }

    /// <summary>Pays for as many bytes or elements as the operand on top says.</summary>
    private void PayForCount(Opcode opcode)
    {
        if (fuel is null || FuelPrices.ShiftOfCount(opcode) is not { } shift)
            return;
        stack.SpillStack();
        cil.Load(fuel);
        stack.Read(stack.Count - 1);
        cil.Emit(OpCodes.Conv_U8);
        cil.Integer(shift);
        cil.Emit(OpCodes.Shr_Un);
        Pay();
    }

    /// <summary>Takes the price from what is left, both on the CIL stack, and traps if it was not enough.</summary>
    private void Pay()
    {
        cil.Emit(OpCodes.Sub);
        cil.Store(fuel!);
        cil.Load(fuel!);
        cil.Long(0);
        cil.Emit(OpCodes.Blt, Trap(nameof(CompiledCode.TrapOutOfFuel)));
    }

    /// <summary>Before a call, a return and a trap.</summary>
    private void SaveFuel()
    {
        if (fuel is null)
            return;
        cil.LoadFromContext(ModuleContext.GroupOffset, OpCodes.Ldind_I);
        cil.Integer(GroupHeader.FuelOffset);
        cil.Emit(OpCodes.Add);
        cil.Load(fuel);
        cil.Emit(OpCodes.Stind_I8);
    }

    /// <summary>At the beginning, and after a call.</summary>
    private void LoadFuel()
    {
        if (fuel is null)
            return;
        cil.LoadFromContext(ModuleContext.GroupOffset, OpCodes.Ldind_I);
        cil.Integer(GroupHeader.FuelOffset);
        cil.Emit(OpCodes.Add);
        cil.Emit(OpCodes.Ldind_I8);
        cil.Store(fuel);
    }
}
