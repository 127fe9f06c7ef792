using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>A function that the host offers to guests.</summary>
internal abstract unsafe class HostFunction
{
    /// <param name="type">See <see cref="Type"/>.</param>
    protected HostFunction(string type)
    {
        Type = type;
        Handle = GCHandle.ToIntPtr(GCHandle.Alloc(this));
    }

    /// <summary>
    /// Its parameters, a colon, and its result, as in <c>iIi:i</c>: <c>i</c> for i32, <c>I</c> for i64, <c>f</c> for f32, <c>F</c> for f64.
    /// </summary>
    public string Type { get; }

    /// <summary>Represents it in native code. Never freed, because the code of guests holds it.</summary>
    public nint Handle { get; }

    /// <summary>Serves a call of a guest.</summary>
    /// <param name="values">The arguments, which the guest chose; the result after the call.</param>
    /// <param name="instance">The guest.</param>
    public abstract void Invoke(RawValue* values, Instance instance);
}
