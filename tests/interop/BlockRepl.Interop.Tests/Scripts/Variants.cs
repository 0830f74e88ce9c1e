using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>The roles and configurations that a script is played in.</summary>
public static class Variants
{
    /// <summary>Both roles under both configurations.</summary>
    public static TheoryData<Side, Setup> All { get; } = new()
    {
        { Side.BlockRepl, Setup.Boards },
        { Side.Kernel, Setup.Boards },
        { Side.BlockRepl, Setup.Careful },
        { Side.Kernel, Setup.Careful },
    };

    /// <summary>As <see cref="All"/>; one of each role is in the short choice.</summary>
    public static TheoryData<Side, Setup> AllTwoShort { get; } =
    [
        InShortChoice(new TheoryDataRow<Side, Setup>(Side.BlockRepl, Setup.Boards)),
        new(Side.Kernel, Setup.Boards),
        new(Side.BlockRepl, Setup.Careful),
        InShortChoice(new TheoryDataRow<Side, Setup>(Side.Kernel, Setup.Careful)),
    ];

    /// <summary>Marks a row of a theory for <c>tools/test --interop-short</c>.</summary>
    public static T InShortChoice<T>(T row)
        where T : TheoryDataRowBase
    {
        row.Traits["Time"] = ["Short"];
        return row;
    }
}
