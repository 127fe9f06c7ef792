using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>The structures for the C API match one version of it.</summary>
public sealed class NativeTests
{
    /// <summary>
    /// When this fails, compare NativeTypes.cs with the headers of the new version (extern.h, val.h, config.h, memory.h, trap.h), then
    /// change <see cref="Native.Version"/>.
    /// </summary>
    [Fact]
    public void Package_version_matches_the_native_structures()
    {
        var file = Path.Combine(AppContext.BaseDirectory, Assembly.GetExecutingAssembly().GetName().Name + ".deps.json");
        using var dependencies = JsonDocument.Parse(File.ReadAllBytes(file));
        var packages = dependencies.RootElement.GetProperty("libraries").EnumerateObject().Select(library => library.Name);
        Assert.Equal(["Wasmtime/" + Native.Version], packages.Where(static name => name.StartsWith("Wasmtime/", StringComparison.Ordinal)));
    }

    [Fact]
    public void Native_structures_have_the_sizes_of_the_C_headers()
    {
        Assert.Equal(16, Unsafe.SizeOf<RawValue>());
        Assert.Equal(16, Unsafe.SizeOf<FunctionHandle>());
        Assert.Equal(16, Unsafe.SizeOf<InstanceHandle>());
        Assert.Equal(24, Unsafe.SizeOf<ObjectHandle>());
        Assert.Equal(24, Unsafe.SizeOf<GlobalHandle>());
        Assert.Equal(32, Unsafe.SizeOf<Extern>());
        Assert.Equal(32, Unsafe.SizeOf<Value>());
        Assert.Equal(16, Unsafe.SizeOf<ByteVector>());
        Assert.Equal(24, Unsafe.SizeOf<NativeMemoryCreator>());
        Assert.Equal(32, Unsafe.SizeOf<NativeLinearMemory>());
    }

    [Fact]
    public void Engines_have_the_same_id_only_with_the_same_settings()
    {
        Assert.Equal(Engines.Of(countFuel: false).Id, new Engine(EngineKind.Modules).Id);
        Assert.NotEqual(Engines.Of(countFuel: false).Id, Engines.Of(countFuel: true).Id);
    }
}
