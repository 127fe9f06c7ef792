using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Npgsql.Internal;
using Npgsql.Replication;

#pragma warning disable NPG9001 // the connector's type may change: see Find

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// The socket below a replication connection. Npgsql does not hand it out, and nothing else says how often the server sends, or lets a reader wait for more
/// than the next byte: so it is taken. Where Npgsql has it elsewhere one day, there is none, and reading only costs more.
/// </summary>
internal static class ReplicationSocket
{
    // From the kernel's headers: SOL_SOCKET and SO_RCVLOWAT, IPPROTO_TCP and TCP_INFO, tcpi_data_segs_in within struct tcp_info (since Linux 4.6).
    private const int SocketLevel = 1;
    private const int ReceiveLowWater = 18;
    private const int TcpLevel = 6;
    private const int TcpInfo = 11;
    private const int DataSegmentsIn = 152;

    /// <summary>The socket of an open connection; null: it can't be had, is no TCP socket, or the system is not Linux.</summary>
    public static Socket? Find(ReplicationConnection connection)
    {
        if (!OperatingSystem.IsLinux()) return null;
        try
        {
            var socket = SocketOf(ConnectorOf(connection));
            return socket.ProtocolType == ProtocolType.Tcp ? socket : null;
        }
        catch (MissingMemberException)
        {
            return null;
        }
    }

    /// <summary>From how many waiting bytes on whoever waits for the socket is woken.</summary>
    public static void WakeFrom(Socket socket, int bytes) => socket.SetRawSocketOption(SocketLevel, ReceiveLowWater, BitConverter.GetBytes(bytes));

    /// <summary>How many segments with data have come since the connection was opened; it wraps.</summary>
    public static uint CountSegments(Socket socket)
    {
        Span<byte> info = stackalloc byte[DataSegmentsIn + sizeof(uint)];
        return socket.GetRawSocketOption(TcpLevel, TcpInfo, info) == info.Length ? BitConverter.ToUInt32(info[DataSegmentsIn..]) : 0;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector ConnectorOf(ReplicationConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref Socket SocketOf(NpgsqlConnector connector);
}
