using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>A vector as an argument or result of compiled code: its 16 bytes, in two registers.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
[StructLayout(LayoutKind.Sequential)]
public struct VectorBits
{
    public ulong Low;
    public ulong High;
}
