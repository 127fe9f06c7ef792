using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.RowChanges.Decoding;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>
/// Messages in the WAL that name the writer. Only messages signed by the database are valid, and only in their transaction.
/// </summary>
public sealed class CapturedContextTests
{
    private const string Payload =
        """{"sub": "alice", "xid": "4294968296", "role": "authenticated", "depth": 2, "claims": {"sub": "alice"}}""";

    private static readonly byte[] Key = [.. Enumerable.Range(1, 64).Select(i => (byte)i)];

    [Fact]
    public void Context_signed_by_the_database_is_accepted()
    {
        var context = CapturedContext.Verify(Sign("wal" + Payload, Payload), Key, 1000)!;
        Assert.Equal(
            ("authenticated", "alice", (short)2, """{"sub": "alice"}"""),
            (context.Role, context.Subject, context.Depth, context.ClaimsJson)
        );
        Assert.Equal("""{"role":"authenticated","sub":"alice","claims":{"sub": "alice"}}""", context.Caller(null));
        Assert.StartsWith("""{"role":"anon",""", context.Caller("anon"), StringComparison.Ordinal);
    }

    [Fact]
    public void Context_from_any_other_source_is_ignored()
    {
        Assert.Null(CapturedContext.Verify(Sign("wal" + Payload, Payload), Key, 1001)); // another transaction's
        Assert.Null(CapturedContext.Verify(Sign(Payload, Payload), Key, 1000)); // a signature of the other kind, under the same key
        Assert.Null(
            CapturedContext.Verify(Sign("wal" + Payload, Payload.Replace("alice", "mallory", StringComparison.Ordinal)), Key, 1000)
        );
        Assert.Null(CapturedContext.Verify(Sign("wal" + Payload, Payload).AsSpan(0, 64), Key, 1000));
        Assert.Null(CapturedContext.Verify(Encoding.ASCII.GetBytes(new string('z', 64) + Payload), Key, 1000));
        Assert.Null(CapturedContext.Verify([], Key, 1000));
    }

    private static byte[] Sign(string signed, string payload) =>
        Encoding.UTF8.GetBytes(Convert.ToHexStringLower(HMACSHA256.HashData(Key, Encoding.UTF8.GetBytes(signed))) + payload);
}
