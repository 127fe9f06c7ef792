namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Offers a static method to guests as the import <paramref name="module"/>.<paramref name="name"/>. Parameters are <c>int</c> or
/// <c>long</c>, then the calling instance; the result is an <c>int</c> or <c>void</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class HostFunctionAttribute(string module, string name) : Attribute
{
    /// <summary>The import's module, for example <c>env</c>.</summary>
    public string Module { get; } = module;

    /// <summary>The import's name, for example <c>host_call</c>.</summary>
    public string Name { get; } = name;
}
