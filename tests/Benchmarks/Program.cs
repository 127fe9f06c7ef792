using Functions.PgSidecar.Benchmarks.Engine;

switch (args)
{
    case ["engine"]:
        EngineBenchmark.Run();
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: Functions.PgSidecar.Benchmarks engine");
        return 2;
}
