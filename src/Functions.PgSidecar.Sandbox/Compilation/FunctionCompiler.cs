using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Compiles one function to a static method <c>f(arguments..., nint context)</c>. The body is known to be valid; unreachable code is skipped.
/// Why there is such a compiler: docs/decisions/0001-webassembly-to-cil.md.
/// </summary>
internal sealed partial class FunctionCompiler
{
    private readonly ModuleCompiler module;
    private readonly FunctionBody body;
    private readonly CilWriter cil;
    private readonly LocalVariables locals;
    private readonly OperandStack stack;
    private readonly CheckedAddresses checkedAddresses = new();
    private readonly List<ControlFrame> frames = [];
    private readonly Dictionary<string, Label> traps = [];
    private readonly LocalBuilder? memoryBase;
    private int next;
    private bool unreachable;

    private FunctionCompiler(ModuleCompiler module, FunctionBody body, MethodBuilder method)
    {
        this.module = module;
        this.body = body;
        method.InitLocals = false;
        var parameters = body.Type.Parameters;
        cil = new CilWriter(method.GetILGenerator(Math.Max(64, body.Instructions.Length * 4)), parameters.Length);
        locals = new LocalVariables(cil, parameters, body.Locals);
        stack = new OperandStack(cil, locals);
        if (module.MemoryDistance is null && body.Instructions.Any(instruction => OpcodeTable.IsMemoryAccess(instruction.Opcode)))
            memoryBase = cil.NewLocal(typeof(nint));
    }

    public static void Compile(ModuleCompiler module, FunctionBody body, MethodBuilder method, bool checkEntry)
    {
        var compiler = new FunctionCompiler(module, body, method);
        compiler.EmitProlog(checkEntry);
        compiler.EmitBody();
        compiler.EmitTraps();
    }

    private void EmitProlog(bool checkEntry)
    {
        BeginFuel();
        if (checkEntry)
            EmitEntryCheck();
        locals.Begin();
        if (memoryBase is null)
            return;
        cil.LoadFromContext(ModuleContext.MemoryBaseOffset, OpCodes.Ldind_I);
        cil.Store(memoryBase);
    }

    /// <summary>The address of a local stands for the stack pointer; an interrupt raises the limit, so that one comparison serves both.</summary>
    private void EmitEntryCheck()
    {
        var probe = cil.NewLocal(typeof(int));
        cil.LoadAddress(probe);
        cil.Emit(OpCodes.Conv_U);
        cil.ContextAddress(ModuleContext.StackLimitOffset);
        cil.Emit(OpCodes.Volatile);
        cil.Emit(OpCodes.Ldind_I);
        cil.Emit(OpCodes.Ble_Un, Trap(nameof(CompiledCode.TrapEntry)));
    }

    private void EmitBody()
    {
        var code = body.Instructions;
        var type = new FunctionType([], body.Type.Results);
        frames.Add(new ControlFrame(Opcode.Nop, type, 0, cil.NewLabel(), checkedAddresses.EnterBlock()));
        while (next < code.Length)
        {
            if (unreachable)
                SkipUnreachable(code);
            PayForRun();
            Emit(code[next++]);
            beginsRun |= FuelPrices.EndsRun(code[next - 1].Opcode);
            if (cil.Length > WasmLimits.FunctionCilBytes)
                throw new WasmFormatException("function too complex: it would become more than 4 MiB of intermediate code", 0);
        }
    }

    /// <summary>Moves to the <c>else</c> or <c>end</c> of the innermost block.</summary>
    private void SkipUnreachable(Instruction[] code)
    {
        for (var depth = 0; ; next++)
        {
            switch (code[next].Opcode)
            {
                case Opcode.Block or Opcode.Loop or Opcode.If:
                    depth++;
                    break;
                case Opcode.Else when depth == 0:
                    return;
                case Opcode.End when depth-- == 0:
                    return;
            }
        }
    }

    private void Emit(in Instruction instruction)
    {
        var opcode = instruction.Opcode;
        if (opcode >= Opcode.V128Load)
            EmitVector(instruction);
        else if (Condition.IsComparison(opcode))
            EmitComparison(opcode);
        else if (OpcodeTable.TryGetNumeric(opcode, out var signature))
            EmitNumeric(opcode, signature);
        else if (OpcodeTable.TryGetMemoryAccess(opcode, out var access))
            EmitMemoryAccess(instruction, access);
        else if (opcode <= Opcode.ReturnCallIndirect)
            EmitControl(instruction);
        else if (opcode is >= Opcode.Drop and <= Opcode.GlobalSet)
            EmitVariable(instruction);
        else if (opcode is >= Opcode.I32Const and <= Opcode.F64Const)
            stack.PushConstant(ConstantType(opcode), instruction.Immediate);
        else
            EmitTableOrBulk(instruction);
    }

    private static ValueType ConstantType(Opcode opcode) => opcode switch
    {
        Opcode.I32Const => ValueType.I32,
        Opcode.I64Const => ValueType.I64,
        Opcode.F32Const => ValueType.F32,
        _ => ValueType.F64,
    };

    /// <summary>The label of a trap, by the method of <see cref="CompiledCode"/> that makes its exception. One a function and kind.</summary>
    private Label Trap(string method)
    {
        if (!traps.TryGetValue(method, out var label))
            traps.Add(method, label = cil.NewLabel());
        return label;
    }

    private void EmitTraps()
    {
        foreach (var (name, label) in traps)
        {
            cil.Mark(label);
            SaveFuel();
            var method = CilMethods.Runtime(name);
            if (name == nameof(CompiledCode.TrapSignature))
                cil.Load(Element);
            else if (method.GetParameters().Length == 1)
                cil.Context();
            cil.Call(method);
            cil.Emit(OpCodes.Throw);
        }
    }

    /// <summary>Calls a method of <see cref="CompiledCode"/> whose last parameter is the context.</summary>
    private void CallRuntime(string name)
    {
        cil.Context();
        cil.Call(CilMethods.Runtime(name));
    }
}
