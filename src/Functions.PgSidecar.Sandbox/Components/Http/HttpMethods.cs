using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>The variant <c>method</c> of <c>wasi:http/types</c>.</summary>
internal static class HttpMethods
{
    private const string Other = "other";

    private static readonly string[] Known = ["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"];

    public static ComponentValue Write(string method)
    {
        var name = method.ToLowerInvariant();
        return Known.Contains(name) ? Values.Variant(name) : Values.Variant(Other, Values.Text(method));
    }

    public static string Read(in ComponentValue method)
    {
        ComponentCall.Require(method, ComponentKind.Variant);
        var name = ComponentCall.NameOf(method);
        return name == Other && ComponentCall.Inner(method) is { } text ? ComponentCall.TextOf(text) : name.ToUpperInvariant();
    }
}
