using System.Reflection;
using System.Runtime.CompilerServices;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>The compiled JavaScript engine as the build makes it.</summary>
public sealed class QuickJsImageTests
{
    private static readonly CompiledImage Image = CompiledImage.Load(Path.Combine(AppContext.BaseDirectory, "guest", "quickjs.dll"));

    [Fact]
    public void Every_method_of_the_image_is_valid_code()
    {
        var prepared = 0;
        foreach (var module in Image.Modules)
        {
            foreach (var method in module.Code.GetMethods(BindingFlags.Static | BindingFlags.Public))
            {
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
                prepared++;
            }
        }

        Assert.True(prepared > 2000, $"The image has only {prepared} methods.");
    }

    [Fact]
    public void The_image_holds_the_engine_and_its_extensions_in_order() =>
        Assert.Equal(["quickjs", "url", "encoding", "headers", "crypto", "structured-clone"], Image.ModuleNames);

    [Fact]
    public void An_image_is_loaded_once() =>
        Assert.Same(Image, CompiledImage.Load(Path.Combine(AppContext.BaseDirectory, "guest", ".", "quickjs.dll")));

    [Fact]
    public void An_export_that_does_not_exist_is_named_in_the_error()
    {
        var error = Assert.Throws<WasmLinkException>(() => Image.Function("qjs_nothing"));
        Assert.Contains("qjs_nothing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_import_is_named_in_the_error()
    {
        WasmLinkException? error = null;
        GuestThread.Run(() => error = Assert.Throws<WasmLinkException>(() => Image.Start(HostFunctions.None, 512)));
        Assert.Contains("env.host_", error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_image_is_named_in_the_error() =>
        Assert.Contains("nowhere.dll", Assert.Throws<FileNotFoundException>(() => CompiledImage.Load("/nowhere.dll")).Message, StringComparison.Ordinal);
}
