using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Decides which functions check the stack and interrupts when they are entered: those on a cycle of calls, and enough of the others that neither the
/// stack nor the time spent between two checks can pass a bound. Calls that leave the module may come back through anything that can be referenced.
/// </summary>
internal sealed class CallGraph
{
    /// <summary>Estimated stack bytes that a chain of unchecked calls may use; small against the reserve below the stack limit.</summary>
    private const long MaximumUncheckedStack = 128 * 1024;

    /// <summary>Instructions that unchecked calls may execute between two checks: without loops, a chain of functions can double its work at each link.</summary>
    private const long MaximumUncheckedWork = 4_000_000;

    private readonly WasmModule module;
    private readonly int[][] callees;
    private readonly bool[] isChecked;
    private readonly long[] work;
    private readonly long[] stackBytes;

    // The state of the search for cycles: the order of discovery, and the earliest node of the search's path that is reachable.
    private readonly int[] order;
    private readonly int[] low;
    private readonly bool[] onStack;
    private readonly Stack<int> component = new();
    private readonly Stack<(int Node, int Edge)> pending = new();
    private int clock;

    private CallGraph(WasmModule module)
    {
        this.module = module;
        var count = module.Bodies.Length;
        callees = new int[count + 1][];
        isChecked = new bool[count + 1];
        work = new long[count + 1];
        stackBytes = new long[count + 1];
        order = new int[count + 1];
        low = new int[count + 1];
        onStack = new bool[count + 1];
    }

    /// <summary>The node that stands for "any function that can be referenced"; it comes after the module's own functions.</summary>
    private int Anywhere => module.Bodies.Length;

    /// <summary>For each function the module defines: whether it checks at its entry.</summary>
    public static bool[] FindEntryChecks(WasmModule module)
    {
        var graph = new CallGraph(module);
        graph.FindCallees();
        graph.VisitComponents();
        return graph.isChecked[..module.Bodies.Length];
    }

    private void FindCallees()
    {
        var imports = module.ImportedFunctions;
        for (var function = 0; function < module.Bodies.Length; function++)
        {
            var found = new List<int>();
            foreach (ref readonly var instruction in module.Bodies[function].Instructions.AsSpan())
            {
                if (instruction.Opcode is Opcode.Call or Opcode.ReturnCall && instruction.Index >= imports)
                    found.Add(instruction.Index - imports);
                else if (instruction.Opcode is Opcode.Call or Opcode.CallIndirect or Opcode.ReturnCall or Opcode.ReturnCallIndirect)
                    found.Add(Anywhere);
            }

            callees[function] = [.. found];
        }

        callees[Anywhere] = [.. module.ReferencedFunctions.Where(function => function >= imports).Select(function => function - imports)];
    }

    /// <summary>Tarjan's algorithm without recursion: a hostile module must not choose how deep our own stack gets. Callees come before callers.</summary>
    private void VisitComponents()
    {
        for (var root = 0; root < callees.Length; root++)
        {
            if (order[root] != 0)
                continue;
            pending.Push((root, 0));
            while (pending.TryPop(out var at))
            {
                if (at.Edge == 0)
                    Discover(at.Node);
                if (!Descend(at.Node, at.Edge) && low[at.Node] == order[at.Node])
                    CloseComponent(at.Node);
            }
        }
    }

    private void Discover(int node)
    {
        if (order[node] != 0)
            return;
        order[node] = low[node] = ++clock;
        component.Push(node);
        onStack[node] = true;
    }

    /// <summary>Follows a node's edges from one on, until one leads to a node not seen before: that one comes first, then this one again.</summary>
    private bool Descend(int node, int edge)
    {
        for (; edge < callees[node].Length; edge++)
        {
            var callee = callees[node][edge];
            if (order[callee] == 0)
            {
                pending.Push((node, edge));
                pending.Push((callee, 0));
                return true;
            }

            if (onStack[callee])
                low[node] = Math.Min(low[node], low[callee]);
        }

        return false;
    }

    private void CloseComponent(int root)
    {
        var isCycle = component.Peek() != root || callees[root].Contains(root);
        int member;
        do
        {
            member = component.Pop();
            onStack[member] = false;
            isChecked[member] = isCycle;
        }
        while (member != root);
        if (!isCycle)
            Bound(root);
    }

    /// <summary>Adds up what a call of a function on no cycle can cost before the next check.</summary>
    private void Bound(int function)
    {
        if (function == Anywhere)
        {
            // An indirect call may reach the most expensive of all.
            work[function] = callees[function].Select(Work).DefaultIfEmpty().Max();
            stackBytes[function] = callees[function].Select(Stack).DefaultIfEmpty().Max();
            return;
        }

        var body = module.Bodies[function];
        // Temporaries of numbers are often registers; those of vectors are larger, and there are fewer registers.
        var vectors = body.Instructions.Count(instruction => instruction.Opcode >= Opcode.V128Load);
        var frame = 256 + 16L * (body.Locals.Length + body.Type.Parameters.Length) + 4L * body.Instructions.Length + 12L * vectors;
        var total = (long)body.Instructions.Length;
        foreach (var callee in callees[function])
            total = Math.Min(total + Work(callee), MaximumUncheckedWork + 1);
        work[function] = total;
        stackBytes[function] = frame + callees[function].Select(Stack).DefaultIfEmpty().Max();
        isChecked[function] = total > MaximumUncheckedWork || stackBytes[function] > MaximumUncheckedStack;

        long Work(int callee) => isChecked[callee] ? 1 : work[callee];
        long Stack(int callee) => isChecked[callee] ? 0 : stackBytes[callee];
    }
}
