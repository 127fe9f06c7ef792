namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// Maps the columns that a trigger names to their positions in the rows of the stream. A trigger identifies columns (attribute numbers) by
/// the names at its creation; the stream has the names at the time of the change, in order of the attribute numbers; the catalog has the
/// current names. The stream has no attribute numbers, so the three are aligned: first by equal names, and by order where a column was
/// renamed. A change that came as a message has the numbers.
/// </summary>
internal sealed class ColumnPlaces
{
    // That a column exists counts more than its name, because a table may have swapped names since.
    private const int Renamed = 4;
    private const int NameOfAnother = 12;
    private const int LiveColumnMissing = 40;
    private const int ColumnNotInCatalogue = 40;

    private readonly Dictionary<string, int> places = new(StringComparer.Ordinal);

    private ColumnPlaces(int count) => Names = new string?[count];

    /// <summary>
    /// For each position in the row, the name by which the trigger knows the column; null if it does not know the column.
    /// </summary>
    public string?[] Names { get; }

    /// <summary>Finds the positions.</summary>
    /// <param name="columns">The row's columns, as the stream describes them.</param>
    /// <param name="now">The table as it is now.</param>
    /// <param name="then">The names at the trigger's creation, by attribute number. Empty means unknown; then columns are matched by name
    /// only.</param>
    public static ColumnPlaces Find(IReadOnlyList<PublishedColumn> columns, CatalogTable now, IReadOnlyList<string?> then)
    {
        var found = new ColumnPlaces(columns.Count);
        var numbers =
            then.Count == 0 ? []
            : columns.All(column => column.Number > 0) ? [.. columns.Select(column => column.Number)]
            : Align(columns, now.Columns, then);
        for (var place = 0; place < numbers.Length; place++)
        {
            if (numbers[place] > 0 && numbers[place] <= then.Count && then[numbers[place] - 1] is { } name)
                found.Add(name, place);
        }
        // A column that was dropped and recreated under its name is treated as the same column. A column that was added since has its own
        // name.
        for (var place = 0; place < columns.Count; place++)
        {
            if (found.Names[place] is null)
                found.Add(columns[place].Name, place);
        }
        return found;
    }

    /// <summary>
    /// Whether the catalog has all of a row's columns, in the same order. It may have further columns, which the WAL does not carry.
    /// </summary>
    public static bool AreInOrder(IReadOnlyList<PublishedColumn> columns, IReadOnlyList<string?> now)
    {
        var place = 0;
        foreach (var name in now)
        {
            if (place < columns.Count && columns[place].Name == name)
                place++;
        }
        return place == columns.Count;
    }

    /// <summary>The positions of columns; columns that the row does not have are left out.</summary>
    public int[] Of(IReadOnlyList<string> names) => [.. names.Where(places.ContainsKey).Select(name => places[name])];

    private void Add(string name, int place)
    {
        if (places.TryAdd(name, place))
            Names[place] = name;
    }

    /// <summary>The attribute number of each column of the row, 0 for none: the assignment of least cost that keeps the order.</summary>
    private static int[] Align(IReadOnlyList<PublishedColumn> columns, string?[] now, IReadOnlyList<string?> then)
    {
        var count = Math.Max(now.Length, then.Count);
        var known = now.Concat(then).OfType<string>().ToHashSet(StringComparer.Ordinal);
        string? Now(int number) => number <= now.Length ? now[number - 1] : null;
        string? Then(int number) => number <= then.Count ? then[number - 1] : null;
        int CostOfName(int place, int number)
        {
            var name = columns[place].Name;
            return name == Now(number) || name == Then(number) ? 0
                : known.Contains(name) ? NameOfAnother
                : Renamed;
        }

        var costs = new int[columns.Count + 1, count + 1];
        for (var place = 0; place <= columns.Count; place++)
        {
            for (var number = 0; number <= count; number++)
            {
                if (place == 0 && number == 0)
                    continue;
                var cost = int.MaxValue;
                if (place > 0 && number > 0)
                    cost = costs[place - 1, number - 1] + CostOfName(place - 1, number);
                if (number > 0)
                    cost = Math.Min(cost, costs[place, number - 1] + CostOfAbsence(number));
                if (place > 0)
                    cost = Math.Min(cost, costs[place - 1, number] + ColumnNotInCatalogue);
                costs[place, number] = cost;
            }
        }

        var numbers = new int[columns.Count];
        for (int place = columns.Count, number = count; place > 0 || number > 0; )
        {
            if (place > 0 && number > 0 && costs[place, number] == costs[place - 1, number - 1] + CostOfName(place - 1, number))
                numbers[--place] = number--;
            else if (number > 0 && costs[place, number] == costs[place, number - 1] + CostOfAbsence(number))
                number--;
            else
                place--;
        }
        return numbers;

        // A column that existed when the trigger was created, and exists now, existed in between.
        int CostOfAbsence(int number) => Now(number) is not null && Then(number) is not null ? LiveColumnMissing : 0;
    }
}
