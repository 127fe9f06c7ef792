namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>Results of WASI preview 1 calls, numbered as in its <c>errno</c>.</summary>
internal enum Errno
{
    Success = 0,

    /// <summary>The file descriptor is not open.</summary>
    BadDescriptor = 8,

    /// <summary>A pointer, or what it points to, is not wholly inside linear memory.</summary>
    Fault = 21,

    Invalid = 28,

    /// <summary>The call is not implemented.</summary>
    NoSystemCall = 52,

    NotSupported = 58,

    /// <summary>A stream has no position.</summary>
    SeekOnStream = 70,

    /// <summary>The module has no right to do it.</summary>
    NotCapable = 76,
}
