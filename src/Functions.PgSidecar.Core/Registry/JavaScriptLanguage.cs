using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>JavaScript: a program is the memory snapshot after a module's top level has run.</summary>
internal sealed class JavaScriptLanguage(JavaScriptEngine engine) : ILanguage
{
    /// <inheritdoc/>
    public string Name => "javascript";

    /// <inheritdoc/>
    public string EngineId => engine.EngineId;

    /// <inheritdoc/>
    public async Task<CompiledVersion> CompileAsync(VersionArtifact version)
    {
        try
        {
            var program = await engine
                .CompileAsync(version.Function + ".js", version.Source ?? "", Compiler.Limits(version), version.Options.Handler)
                .ConfigureAwait(false);
            return new CompiledVersion(program, engine.Write(program), Encoding.UTF8.GetString(program.Info.Span));
        }
        catch (JavaScriptCompileException e)
        {
            throw new CompileException(new CompilationError(e.Message, e.File, e.Line, e.Column, e.GuestStack));
        }
    }

    /// <inheritdoc/>
    public IProgram Read(VersionArtifact version, ReadOnlyMemory<byte> stored) => engine.Read(stored);
}
