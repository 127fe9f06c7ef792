using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Tells functions that are made to cost an optimising compiler dearly from those that people write.</summary>
internal static class FunctionComplexity
{
    /// <summary>The interpreter loop of QuickJS, a large one, has 2,000.</summary>
    private const int Branches = 20_000;

    private const int Loops = 500;

    private const int LoopDepth = 30;

    public static bool IsBeyondOptimising(ReadOnlySpan<Instruction> code)
    {
        var branches = 0;
        var loops = 0;
        var depth = 0;
        var blocks = new Stack<Opcode>();
        foreach (ref readonly var instruction in code)
        {
            switch (instruction.Opcode)
            {
                case Opcode.Block or Opcode.Loop or Opcode.If:
                    blocks.Push(instruction.Opcode);
                    loops += instruction.Opcode == Opcode.Loop ? 1 : 0;
                    depth += instruction.Opcode == Opcode.Loop ? 1 : 0;
                    branches++;
                    break;
                case Opcode.End when blocks.TryPop(out var closed):
                    depth -= closed == Opcode.Loop ? 1 : 0;
                    break;
                case Opcode.BrIf or Opcode.BrTable:
                    branches++;
                    break;
            }

            if (branches > Branches || loops > Loops || depth > LoopDepth)
                return true;
        }

        return false;
    }
}
