using System.Reflection;
using System.Runtime.CompilerServices;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Tests.Conformance.Fuzzing;

/// <summary>Damages valid modules byte by byte: what comes of it is refused, or becomes code that the runtime takes.</summary>
internal static class Mutations
{
    /// <summary>What went wrong; null when nothing did.</summary>
    public static string? Try(byte[] module, int seed)
    {
        var random = new Random(seed);
        var mutated = (byte[])module.Clone();
        for (var left = random.Next(1, 6); left > 0; left--)
            mutated[random.Next(8, mutated.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)(mutated[random.Next(8, mutated.Length)] ^ 1 << random.Next(8));
        try
        {
            var image = CompiledImage.Compile(("main", mutated));
            foreach (var method in image.Modules[0].Code.GetMethods(BindingFlags.Static | BindingFlags.Public))
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
            return null;
        }
        catch (WasmFormatException)
        {
            return null;
        }
        catch (Exception exception)
        {
            return exception.ToString();
        }
    }
}
