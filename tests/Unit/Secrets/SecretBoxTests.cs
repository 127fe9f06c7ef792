using System.Security.Cryptography;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Secrets;

namespace Functions.PgSidecar.Tests.Unit.Secrets;

public sealed class SecretBoxTests
{
    private static readonly SecretBox Box = new(RSA.Create(3072));

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("exactly thirty-two bytes of it..")]
    [InlineData("ünïcödé 🔑\n\tand more than one block of the stream, for there are thirty-two bytes in each")]
    public void Sealed_value_opens_in_its_place(string value) => Assert.Equal(value, Box.Open("f", "KEY", Box.Seal("f", "KEY", value)));

    [Fact]
    public void Sealing_the_same_value_twice_gives_different_bytes() =>
        Assert.NotEqual(Box.Seal("f", "KEY", "value"), Box.Seal("f", "KEY", "value"));

    [Theory]
    [InlineData("g", "KEY")]
    [InlineData("f", "OTHER")]
    [InlineData("fK", "EY")]
    [InlineData("", "fKEY")]
    public void Sealed_value_does_not_open_in_another_place(string function, string key) =>
        Assert.Equal("PGFN5302", Assert.Throws<SidecarException>(() => Box.Open(function, key, Box.Seal("f", "KEY", "value"))).Code);

    [Fact]
    public void Changing_any_byte_of_a_sealed_value_is_detected()
    {
        var good = Box.Seal("f", "KEY", "value");
        // Each part, its first and last byte: version, key id, content key, text, MAC.
        foreach (var at in new[] { 0, 1, 8, 9, 9 + 383, 9 + 384, 9 + 388, good.Length - 32, good.Length - 1 })
        {
            var changed = (byte[])good.Clone();
            changed[at] ^= 1;
            Assert.StartsWith(
                "PGFN530",
                Assert.Throws<SidecarException>(() => Box.Open("f", "KEY", changed)).Code,
                StringComparison.Ordinal
            );
        }

        foreach (var length in new[] { 0, 1, 9, 9 + 384, good.Length - 1 })
            Assert.Equal("PGFN5302", Assert.Throws<SidecarException>(() => Box.Open("f", "KEY", good.AsSpan(0, length))).Code);
        Assert.Equal("PGFN5302", Assert.Throws<SidecarException>(() => Box.Open("f", "KEY", [.. good, 0])).Code);
    }

    [Fact]
    public void Secret_of_another_database_has_its_own_error()
    {
        using var other = new SecretBox(RSA.Create(3072));

        Assert.Equal("PGFN5301", Assert.Throws<SidecarException>(() => Box.Open("f", "KEY", other.Seal("f", "KEY", "value"))).Code);
    }

    [Fact]
    public void Error_messages_never_contain_the_value() =>
        Assert.DoesNotContain(
            "hunter2",
            Assert.Throws<SidecarException>(() => Box.Open("g", "KEY", Box.Seal("f", "KEY", "hunter2"))).ToString(),
            StringComparison.Ordinal
        );
}
