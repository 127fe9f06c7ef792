using System.Text;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>What compiling a version has in common, wherever it happens.</summary>
internal static class Compiler
{
    /// <summary>The source's name in errors and stack traces.</summary>
    public static string FileName(VersionArtifact version) => version.Function + ".js";

    /// <summary>The module's top level runs under the function's own limits.</summary>
    public static GuestLimits Limits(VersionArtifact version) =>
        new(version.Options.Timeout, (long)version.Options.MemoryMb << 20, version.Options.Cpu);

    /// <summary>What the registry keeps of a compilation that worked.</summary>
    public static CompilationOutcome Success(JavaScriptEngine engine, JavaScriptProgram program, TimeSpan took) =>
        new(engine.EngineId, engine.Write(program), Encoding.UTF8.GetString(program.Info.Span), (int)took.TotalMilliseconds, null);

    /// <summary>What the registry keeps of one that did not.</summary>
    public static CompilationOutcome Failure(JavaScriptEngine engine, JavaScriptCompileException error, TimeSpan took) => new(
        engine.EngineId, null, null, (int)took.TotalMilliseconds,
        new CompilationError(error.Message, error.File, error.Line, error.Column, error.GuestStack));
}
