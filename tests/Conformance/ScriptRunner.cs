using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>Runs the commands of one script and counts what passed, by kind of command.</summary>
internal sealed class ScriptRunner(string commandsPath, ScriptStore store) : IDisposable
{
    private readonly Dictionary<string, ModulePlacement> named = new(StringComparer.Ordinal);
    private ModulePlacement? last;

    public SortedDictionary<string, int> Passed { get; } = new(StringComparer.Ordinal);

    public List<string> Failures { get; } = [];

    public void Run()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(commandsPath));
        foreach (var command in document.RootElement.GetProperty("commands").EnumerateArray())
        {
            var kind = command.GetProperty("type").GetString()!;
            if (command.TryGetProperty("module_type", out var form) && form.GetString() == "text")
            {
                // The text format is not ours to judge: wast2json parses it.
                Count("text only, not run");
                continue;
            }

            try
            {
                Execute(kind, command);
                Count(kind);
            }
            catch (Exception exception)
            {
                Failures.Add($"line {command.GetProperty("line").GetInt32()} {kind}: {exception.GetType().Name}: {exception.Message}");
            }
        }
    }

    public void Dispose() => store.Dispose();

    private void Count(string kind) => Passed[kind] = Passed.GetValueOrDefault(kind) + 1;

    private void Execute(string kind, JsonElement command)
    {
        switch (kind)
        {
            case "module":
                last = store.Instantiate(ReadModule(command));
                if (command.TryGetProperty("name", out var name))
                    named[name.GetString()!] = last;
                break;
            case "register":
                store.Register(command.GetProperty("as").GetString()!, ModuleOf(command, "name"));
                break;
            case "action":
                Act(command.GetProperty("action"));
                break;
            case "assert_return":
                AssertReturn(command);
                break;
            case "assert_trap" or "assert_exhaustion":
                AssertMessage<WasmTrapException>(command, () => Act(command.GetProperty("action")));
                break;
            case "assert_uninstantiable":
                AssertMessage<WasmTrapException>(command, () => store.Instantiate(ReadModule(command)));
                break;
            case "assert_unlinkable":
                AssertMessage<WasmLinkException>(command, () => store.Instantiate(ReadModule(command)));
                break;
            case "assert_invalid" or "assert_malformed":
                Assert.Throws<WasmFormatException>(() => WasmModule.Decode(ReadModule(command)));
                break;
            default:
                throw new NotSupportedException(kind);
        }
    }

    private void AssertReturn(JsonElement command)
    {
        var (bits, functions) = Act(command.GetProperty("action"));
        var expected = command.GetProperty("expected").EnumerateArray().Select(ScriptValue.Parse).ToArray();
        Assert.Equal(expected.Length, bits.Length);
        for (var index = 0; index < expected.Length; index++)
            Assert.True(expected[index].Matches(bits[index], functions[index]), $"expected {expected[index]}, got {bits[index]} (0x{bits[index]:x})");
    }

    private (UInt128[] Bits, FunctionReference[] Functions) Act(JsonElement action)
    {
        var module = ModuleOf(action, "module");
        var field = action.GetProperty("field").GetString()!;
        if (action.GetProperty("type").GetString() == "get")
            return ([store.ReadGlobal(module, field)], [default]);
        return store.Invoke(module, field, [.. action.GetProperty("args").EnumerateArray().Select(ScriptValue.Parse)]);
    }

    /// <summary>The scripts name the trap or the link error in words that begin as ours, or the other way round.</summary>
    private static void AssertMessage<TException>(JsonElement command, Action act)
        where TException : Exception
    {
        var text = command.GetProperty("text").GetString()!;
        var message = Assert.Throws<TException>(act).Message;
        Assert.True(message.StartsWith(text, StringComparison.Ordinal) || text.StartsWith(message, StringComparison.Ordinal), $"expected \"{text}\", got \"{message}\"");
    }

    private ModulePlacement ModuleOf(JsonElement element, string property) =>
        element.TryGetProperty(property, out var name) ? named[name.GetString()!] : last!;

    private byte[] ReadModule(JsonElement command) =>
        File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(commandsPath)!, command.GetProperty("filename").GetString()!));
}
