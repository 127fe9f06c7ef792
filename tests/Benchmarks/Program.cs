using Functions.PgSidecar.Benchmarks;
using Functions.PgSidecar.Benchmarks.Http;

switch (args)
{
    case ["kestrel"]:
        await KestrelServer.ServeAsync();
        return 0;
    default:
        if (BenchmarkCommand.Parse(args) is { } command)
            return await command.RunAsync();
        await Console.Error.WriteLineAsync($"usage: {BenchmarkCommand.Usage}");
        return 2;
}
