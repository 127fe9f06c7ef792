using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary><c>wasi:cli</c>: arguments, variables, standard streams, exit. There is no terminal and no directory.</summary>
internal static class CliFunctions
{
    [ComponentFunction("wasi:cli/environment", "get-environment")]
    public static void GetEnvironment(in ComponentCall call)
    {
        var variables = ComponentProcess.Of(call).Environment.Environment;
        var pairs = new ComponentValue[variables.Count];
        for (var index = 0; index < pairs.Length; index++)
        {
            var text = Text(variables[index]);
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            pairs[index] = Values.Tuple(Values.Text(text[..equals]), Values.Text(text[(equals + 1)..]));
        }
        call.Return(Values.List(pairs));
    }

    [ComponentFunction("wasi:cli/environment", "get-arguments")]
    public static void GetArguments(in ComponentCall call) =>
        call.Return(Values.List([.. ComponentProcess.Of(call).Environment.Arguments.Select(static text => Values.Text(Text(text)))]));

    [ComponentFunction("wasi:cli/environment", "initial-cwd")]
    public static void InitialDirectory(in ComponentCall call) => call.Return(Values.None);

    [ComponentFunction("wasi:cli/exit", "exit")]
    public static void Exit(in ComponentCall call) =>
        throw new WasiExitException(call.Argument(0, ComponentKind.Result).IsOk == 1 ? 0u : 1);

    [ComponentFunction("wasi:cli/exit", "exit-with-code")]
    public static void ExitWithCode(in ComponentCall call) => throw new WasiExitException(call.Argument(0, ComponentKind.U8).U8);

    [ComponentFunction("wasi:cli/stdin", "get-stdin")]
    public static void GetInput(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        call.Return(process.New(call, WasiResource.InputStream, process.Input));
    }

    [ComponentFunction("wasi:cli/stdout", "get-stdout")]
    public static void GetOutput(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var environment = process.Environment;
        ByteSink sink = environment.LogsOutput ? environment.Lines.Write : environment.Write;
        call.Return(process.New(call, WasiResource.OutputStream, sink));
    }

    [ComponentFunction("wasi:cli/stderr", "get-stderr")]
    public static void GetError(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        ByteSink sink = process.Environment.Lines.Write;
        call.Return(process.New(call, WasiResource.OutputStream, sink));
    }

    [ComponentFunction("wasi:cli/terminal-stdin", "get-terminal-stdin")]
    [ComponentFunction("wasi:cli/terminal-stdout", "get-terminal-stdout")]
    [ComponentFunction("wasi:cli/terminal-stderr", "get-terminal-stderr")]
    public static void GetTerminal(in ComponentCall call) => call.Return(Values.None);

    /// <summary>A text without its terminating zero.</summary>
    private static string Text(byte[] terminated) => Encoding.UTF8.GetString(terminated.AsSpan(0, terminated.Length - 1));
}
