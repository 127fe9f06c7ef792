using Functions.PgSidecar.Sandbox.JavaScript;

// Usage: GuestCompiler <quickjs.wasm> <quickjs.cwasm>
if (args is not [var module, var image])
{
    await Console.Error.WriteLineAsync("usage: GuestCompiler <quickjs.wasm> <quickjs.cwasm>");
    return 2;
}

Directory.CreateDirectory(Path.GetDirectoryName(image)!);
await File.WriteAllBytesAsync(image, JavaScriptEngine.CompileImage(await File.ReadAllBytesAsync(module)));
return 0;
