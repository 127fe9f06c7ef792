using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>The types of resources that WASI 0.2 defines, numbered for Wasmtime.</summary>
internal enum WasiResource : uint
{
    Error,
    Pollable,
    InputStream,
    OutputStream,
    TerminalInput,
    TerminalOutput,
    Descriptor,
    DirectoryEntryStream,
    Network,
    ResolveAddressStream,
    TcpSocket,
    UdpSocket,
    IncomingDatagramStream,
    OutgoingDatagramStream,
    Fields,
    IncomingRequest,
    OutgoingRequest,
    RequestOptions,
    ResponseOutparam,
    IncomingResponse,
    IncomingBody,
    FutureTrailers,
    OutgoingResponse,
    OutgoingBody,
    FutureIncomingResponse,
}

/// <summary>The interface and the name of each <see cref="WasiResource"/>, in their order.</summary>
internal static class WasiResourceNames
{
    private const string Http = "wasi:http/types";

    public static readonly ComponentResourceName[] All =
    [
        new("wasi:io/error", "error"),
        new("wasi:io/poll", "pollable"),
        new("wasi:io/streams", "input-stream"),
        new("wasi:io/streams", "output-stream"),
        new("wasi:cli/terminal-input", "terminal-input"),
        new("wasi:cli/terminal-output", "terminal-output"),
        new("wasi:filesystem/types", "descriptor"),
        new("wasi:filesystem/types", "directory-entry-stream"),
        new("wasi:sockets/network", "network"),
        new("wasi:sockets/ip-name-lookup", "resolve-address-stream"),
        new("wasi:sockets/tcp", "tcp-socket"),
        new("wasi:sockets/udp", "udp-socket"),
        new("wasi:sockets/udp", "incoming-datagram-stream"),
        new("wasi:sockets/udp", "outgoing-datagram-stream"),
        new(Http, "fields"),
        new(Http, "incoming-request"),
        new(Http, "outgoing-request"),
        new(Http, "request-options"),
        new(Http, "response-outparam"),
        new(Http, "incoming-response"),
        new(Http, "incoming-body"),
        new(Http, "future-trailers"),
        new(Http, "outgoing-response"),
        new(Http, "outgoing-body"),
        new(Http, "future-incoming-response"),
    ];
}
