using System.Reflection.Emit;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Where the value of an operand is.</summary>
internal enum OperandPlace
{
    /// <summary>On the CIL evaluation stack.</summary>
    Stack,

    /// <summary>In the temporary of its depth and type.</summary>
    Temporary,

    /// <summary>Still in the WebAssembly local it was read from; that local has not been written since.</summary>
    Local,

    /// <summary>Known.</summary>
    Constant,
}

/// <summary>An operand: its type and where to find it. <paramref name="Value"/> is the local's index or the constant's bits.</summary>
internal readonly record struct Operand(ValueType Type, OperandPlace Place, ulong Value = 0)
{
    public int Local => (int)Value;
}

/// <summary>
/// WebAssembly's operand stack while a function is compiled. Constants and local reads are not emitted before they are used. The CIL evaluation stack
/// is empty at every branch (the just-in-time compiler makes thousands of temporaries otherwise): what is on it is spilled to a temporary that belongs
/// to its depth and type, so that values of a block always land in the same place.
/// </summary>
internal sealed class OperandStack(CilWriter cil, LocalVariables locals)
{
    private readonly List<Operand> operands = [];
    private readonly Dictionary<(int Depth, ValueType Type), LocalBuilder> temporaries = [];

    // How many operands are where: a search ends with the last one, so that a tall stack cannot make every instruction slow to compile.
    private readonly Dictionary<int, int> readsOfLocal = [];
    private int localCount;

    public int Count => operands.Count;

    /// <summary>How many operands are on the CIL stack.</summary>
    public int OnStack { get; private set; }

    public Operand this[int index] => operands[index];

    /// <summary>The operand so many places below the top; 0 is the top.</summary>
    public Operand Top(int below = 0) => operands[^(below + 1)];

    /// <summary>Announces that the value just left on the CIL stack is the new top.</summary>
    public void Push(ValueType type) => Add(new Operand(type, OperandPlace.Stack));

    public void PushConstant(ValueType type, ulong bits) => Add(new Operand(type, OperandPlace.Constant, bits));

    public void PushLocal(ValueType type, int index) => Add(new Operand(type, OperandPlace.Local, (ulong)index));

    public void PushTemporary(ValueType type) => Add(new Operand(type, OperandPlace.Temporary));

    /// <summary>Forgets operands; those on the CIL stack must have been consumed.</summary>
    public void Pop(int count = 1) => Truncate(operands.Count - count);

    /// <summary>Forgets everything above a height.</summary>
    public void Truncate(int height)
    {
        for (var index = operands.Count - 1; index >= height; index--)
        {
            Note(operands[index], -1);
            operands.RemoveAt(index);
        }
    }

    private void Add(Operand operand)
    {
        Note(operand, 1);
        operands.Add(operand);
    }

    private void Move(int index, OperandPlace place)
    {
        Note(operands[index], -1);
        operands[index] = new Operand(operands[index].Type, place);
        Note(operands[index], 1);
    }

    private void Note(Operand operand, int change)
    {
        if (operand.Place == OperandPlace.Stack)
            OnStack += change;
        if (operand.Place != OperandPlace.Local)
            return;
        localCount += change;
        readsOfLocal[operand.Local] = readsOfLocal.GetValueOrDefault(operand.Local) + change;
    }

    public LocalBuilder Temporary(int depth, ValueType type)
    {
        if (!temporaries.TryGetValue((depth, type), out var local))
            temporaries.Add((depth, type), local = cil.NewLocal(CilMethods.ClrType(type)));
        return local;
    }

    /// <summary>Brings the top operands onto the CIL stack, in order, each exactly once.</summary>
    public void Load(int count)
    {
        var first = operands.Count - count;
        while (first < operands.Count && operands[first].Place == OperandPlace.Stack)
            first++;
        SpillStack(first);
        for (var index = first; index < operands.Count; index++)
        {
            Read(index);
            Move(index, OperandPlace.Stack);
        }
    }

    /// <summary>Emits the read of an operand that is not on the CIL stack, and leaves it where it is.</summary>
    public void Read(int index)
    {
        var operand = operands[index];
        switch (operand.Place)
        {
            case OperandPlace.Temporary:
                cil.Load(Temporary(index, operand.Type));
                break;
            case OperandPlace.Local:
                locals.Load(operand.Local);
                break;
            case OperandPlace.Constant:
                cil.Constant(operand.Type, operand.Value);
                break;
            default:
                throw new InvalidOperationException("The operand is on the CIL stack.");
        }
    }

    /// <summary>Moves operands that are on the CIL stack, at or above an index, to their temporaries.</summary>
    public void SpillStack(int from = 0)
    {
        for (var index = operands.Count - 1; index >= from && OnStack > 0; index--)
        {
            if (operands[index].Place == OperandPlace.Stack)
                SpillTop(index);
        }
    }

    /// <summary>Leaves nothing below the top operands on the CIL stack, then loads these.</summary>
    public void LoadAlone(int count)
    {
        var onTop = 0;
        for (var below = 0; below < count; below++)
            onTop += Top(below).Place == OperandPlace.Stack ? 1 : 0;
        if (OnStack > onTop)
            SpillStack();
        Load(count);
    }

    /// <summary>
    /// Before a block: local reads below the top become temporaries too, for the block may write these locals on some paths only.
    /// </summary>
    public void SpillLocals(int below)
    {
        for (var index = operands.Count - 1 - below; index >= 0 && localCount > 0; index--)
        {
            if (operands[index].Place == OperandPlace.Local)
                MoveToTemporary(index);
        }
    }

    /// <summary>Before a local is written: operands that still read it take its value now.</summary>
    public void BeforeWrite(int local, int exceptTop)
    {
        for (var index = operands.Count - 1 - exceptTop; index >= 0 && readsOfLocal.GetValueOrDefault(local) > 0; index--)
        {
            if (operands[index].Place == OperandPlace.Local && operands[index].Local == local)
                MoveToTemporary(index);
        }
    }

    /// <summary>Puts the top operands into their own temporaries: the values a block begins with.</summary>
    public void MakeTemporaries(int count)
    {
        SpillStack();
        for (var index = operands.Count - count; index < operands.Count; index++)
            MoveToTemporary(index);
    }

    /// <summary>Stores the top operands into the temporaries that begin at a height, and takes the rest off the CIL stack; all stay announced.</summary>
    public void StoreAt(int height, int count)
    {
        var first = operands.Count - count;
        if (first == height)
        {
            SpillStack(first);
            for (var index = first; index < operands.Count; index++)
                MoveToTemporary(index);
            return;
        }

        Load(count);
        for (var index = count - 1; index >= 0; index--)
            cil.Store(Temporary(height + index, operands[first + index].Type));
        for (var index = first; index < operands.Count; index++)
            Move(index, OperandPlace.Constant);
    }

    /// <summary>Copies the top operands, none of which is on the CIL stack, to the temporaries that begin at a height; they stay where they are.</summary>
    public void CopyTo(int height, int count)
    {
        var first = operands.Count - count;
        for (var index = 0; index < count; index++)
        {
            if (first == height && operands[first + index].Place == OperandPlace.Temporary)
                continue;
            Read(first + index);
            cil.Store(Temporary(height + index, operands[first + index].Type));
        }
    }

    /// <summary>Discards what is on the CIL stack: a jump is about to leave.</summary>
    public void Discard()
    {
        for (var index = operands.Count - 1; index >= 0 && OnStack > 0; index--)
        {
            if (operands[index].Place != OperandPlace.Stack)
                continue;
            cil.Emit(OpCodes.Pop);
            Move(index, OperandPlace.Constant);
        }
    }

    private void MoveToTemporary(int index)
    {
        if (operands[index].Place == OperandPlace.Temporary)
            return;
        Read(index);
        SpillTop(index);
    }

    private void SpillTop(int index)
    {
        var type = operands[index].Type;
        cil.Store(Temporary(index, type));
        Move(index, OperandPlace.Temporary);
    }
}
