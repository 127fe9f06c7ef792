using Functions.PgSidecar.Sandbox.Compilation;

// Usage: GuestCompiler <crossgen2> <output.dll> <name>=<module.wasm>...   (the main module first)
if (args.Length < 3)
{
    await Console.Error.WriteLineAsync("usage: GuestCompiler <crossgen2> <output.dll> <name>=<module.wasm>...");
    return 2;
}

try
{
    var sources = args[2..]
        .Select(argument => argument.Split('=', 2))
        .Select(parts => (parts[0], (ReadOnlyMemory<byte>)File.ReadAllBytes(parts[1])))
        .ToArray();
    await new AheadOfTimeCompiler(args[0]).CompileAsync(sources, args[1]);
    return 0;
}
catch (Exception exception)
{
    await Console.Error.WriteLineAsync($"GuestCompiler : error PGFNGUEST : {exception.Message}");
    return 1;
}
