using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>
/// Which column of a row a trigger refers to: the names at the trigger's creation, at the change, and now. A dash is a dropped column.
/// </summary>
public sealed class ColumnPlacesTests
{
    [Theory]
    [InlineData("nothing happened", "id total", "id total", "id total", "id total")]
    [InlineData("renamed, read before", "id total", "id amount", "id total", "id total")]
    [InlineData("renamed, read after", "id total", "id amount", "id amount", "id total")]
    [InlineData("renamed twice, read in between", "id total", "id sum", "id amount", "id total")]
    [InlineData("renamed, and the catalogue does not show it yet", "id total", "id total", "id amount", "id total")]
    [InlineData("two names swapped", "a b", "b a", "b a", "a b")]
    [InlineData("two names swapped, read before", "a b", "b a", "a b", "a b")]
    [InlineData(
        "renamed, then two names swapped, read in between",
        "id total other",
        "id other amount",
        "id amount other",
        "id total other"
    )]
    [InlineData("a column before it was dropped", "x id total", "- id amount", "id amount", "id total")]
    [InlineData("a column before it is dropped later", "x id total", "- id amount", "x id total", "x id total")]
    [InlineData("a column was added", "id total", "id total note", "id total note", "id total note")]
    [InlineData("a column was added and is not visible yet", "id total", "id total", "id total note", "id total note")]
    [InlineData("a column was added, read before", "id total", "id amount note", "id amount", "id total")]
    [InlineData("dropped and made again", "id total", "id - total", "id total", "id total")]
    [InlineData("the name of a dropped column, given to another", "id total note", "id - total", "id total", "id note")]
    [InlineData("dropped, and the catalogue does not show it yet", "id total note", "id total note", "id note", "id note")]
    [InlineData("nothing known of the trigger's time", "", "id amount", "id amount", "id amount")]
    [InlineData("the table is gone", "id total", "", "id total", "id total")]
    public void Columns_are_found_by_number_though_their_names_change(string what, string then, string now, string row, string expected)
    {
        var columns = Names(row)
            .Select(name => new PublishedColumn(name!, JsonEncodedText.Encode(name!), PostgresType.Unknown, false))
            .ToList();
        var places = ColumnPlaces.Find(
            columns,
            new CatalogTable
            {
                Owner = 1,
                Columns = Names(now),
                TypeNames = [],
            },
            Names(then)
        );
        Assert.True(expected == string.Join(' ', places.Names.Select(name => name ?? "-")), $"{what}: {string.Join(' ', places.Names)}");
    }

    /// <summary>A partition may have another column order than the root. The numbers of the root are used.</summary>
    [Fact]
    public void Columns_that_come_with_their_numbers_are_found_by_them()
    {
        List<PublishedColumn> columns = [Numbered("amount", 3), Numbered("id", 1), Numbered("note", 2)];
        var places = ColumnPlaces.Find(
            columns,
            new CatalogTable
            {
                Owner = 1,
                Columns = Names("id note amount"),
                TypeNames = [],
            },
            Names("id text total")
        );
        Assert.Equal("total id text", string.Join(' ', places.Names));
        Assert.Equal([0, 2], places.Of(["total", "text"]));
    }

    private static PublishedColumn Numbered(string name, int number) =>
        new(name, JsonEncodedText.Encode(name), PostgresType.Unknown, false) { Number = number };

    private static string?[] Names(string names) =>
        [.. names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(name => name == "-" ? null : name)];
}
