using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// What instructions cost in fuel. Every one costs 1, but those that only structure the code cost nothing, and those that move many bytes or elements
/// cost more, by how many. A price is a promise: changing one changes where every function stops.
/// </summary>
internal static class FuelPrices
{
    /// <summary>Bytes a bulk operation moves for one unit of fuel, as a power of two.</summary>
    private const int BytesShift = 5;

    /// <summary>Elements of tables that an operation moves for one unit of fuel, as a power of two.</summary>
    private const int ElementsShift = 1;

    /// <summary>Whether an instruction ends a run: what follows it may be reached in another way, or not at all.</summary>
    public static bool EndsRun(Opcode opcode) => opcode is Opcode.Unreachable or (>= Opcode.Loop and <= Opcode.Return)
        or Opcode.ReturnCall or Opcode.ReturnCallIndirect;

    /// <summary>The price of a run: the instructions from one on, up to and with the first that ends it.</summary>
    public static int OfRun(ReadOnlySpan<Instruction> code)
    {
        var price = 0;
        foreach (ref readonly var instruction in code)
        {
            price += Of(instruction.Opcode);
            if (EndsRun(instruction.Opcode))
                break;
        }

        return price;
    }

    /// <summary>How far to shift an operation's count, its last operand, for what it costs besides; null when it has no count.</summary>
    public static int? ShiftOfCount(Opcode opcode) => opcode switch
    {
        Opcode.MemoryInit or Opcode.MemoryCopy or Opcode.MemoryFill => BytesShift,
        Opcode.TableInit or Opcode.TableCopy or Opcode.TableFill or Opcode.TableGrow => ElementsShift,
        _ => null,
    };

    private static int Of(Opcode opcode) => opcode is Opcode.Nop or Opcode.Block or Opcode.Loop or Opcode.Else or Opcode.End ? 0 : 1;
}
