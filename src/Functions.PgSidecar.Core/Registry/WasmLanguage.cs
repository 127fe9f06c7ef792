using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>WebAssembly modules: a program is the compiled module, and its initial memory.</summary>
internal sealed class WasmLanguage(WasmEngine engine) : ILanguage
{
    /// <inheritdoc/>
    public string Name => "wasm";

    /// <inheritdoc/>
    public string EngineId => engine.EngineId;

    /// <inheritdoc/>
    public async Task<CompiledVersion> CompileAsync(VersionArtifact version)
    {
        try
        {
            var (program, stored, info) = await engine
                .CompileAsync(version.Function, version.Module, Compiler.Limits(version), version.Options.Handler)
                .ConfigureAwait(false);
            return new CompiledVersion(program, stored, info);
        }
        catch (WasmCompileException e)
        {
            throw new CompileException(new CompilationError(e.Message, version.Function + ".wasm"));
        }
    }

    /// <inheritdoc/>
    public IProgram Read(VersionArtifact version, ReadOnlyMemory<byte> stored) => engine.Read(version.Function, stored);
}
