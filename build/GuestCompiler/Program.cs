using Functions.PgSidecar.Sandbox.Compilation;

// Usage: GuestCompiler <crossgen2> <output.dll> <name>=<module.wasm>...   (the main module first)
// Writes two images: code that compares addresses, and <output>.guarded.dll, code that relies on guard pages.
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
    var compiler = new AheadOfTimeCompiler(args[0]);
    await Task.WhenAll(
        compiler.CompileAsync(sources, args[1]),
        compiler.CompileAsync(sources, Path.ChangeExtension(args[1], ".guarded.dll"), new CompilationOptions { GuardPages = true }));
    return 0;
}
catch (Exception exception)
{
    await Console.Error.WriteLineAsync($"GuestCompiler : error PGFNGUEST : {exception.Message}");
    return 1;
}
