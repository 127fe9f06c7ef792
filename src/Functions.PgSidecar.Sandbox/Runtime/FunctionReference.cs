using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// A function as a value, and the element of a table of functions: where its code is, the number of its type, and where in its instance's mapping
/// the context lies that it must be called with. All zero is the null reference. It holds no address within the instance, so that a copy of a
/// mapping needs no repair.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
[StructLayout(LayoutKind.Sequential)]
public struct FunctionReference
{
    internal const int TypeIdOffset = 8;
    internal const int ContextOffsetOffset = 12;
    internal const int Size = 16;

    /// <summary>The address of the code; 0 for null.</summary>
    public nint Code;

    /// <summary>The type's number in the image's <see cref="Compilation.SignatureTable"/>; 0 for null.</summary>
    public int TypeId;

    /// <summary>The context's distance from the beginning of the mapping, in bytes.</summary>
    public int ContextOffset;
}
