using System.Globalization;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.State;

public sealed class StateChangeResultTests
{
    [Fact]
    public void Every_result_has_a_sentence_of_its_own_and_errors_name_their_code()
    {
        HashSet<string> sentences = [];
        foreach (StateChangeResult result in Enum.GetValues<StateChangeResult>())
        {
            string sentence = result.Describe();
            Assert.True(sentences.Add(sentence), sentence);
            Assert.EndsWith(".", sentence, StringComparison.Ordinal);
            string code = string.Create(CultureInfo.InvariantCulture, $"({(int)result})");
            Assert.Equal((int)result < 1, sentence.Contains(code, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(StateChangeResult.ClusterWideNoNeed, 4, true)]
    [InlineData(StateChangeResult.Success, 1, true)]
    [InlineData(StateChangeResult.UnknownError, 0, false)]
    [InlineData(StateChangeResult.TwoPrimaries, -1, false)]
    [InlineData(StateChangeResult.NoUpToDateDisk, -2, false)]
    [InlineData(StateChangeResult.NoLocalDisk, -4, false)]
    [InlineData(StateChangeResult.FailedByPeer, -10, false)]
    [InlineData(StateChangeResult.InTransientState, -18, false)]
    [InlineData(StateChangeResult.OutdateWithoutConnection, -21, false)]
    public void Numbers_are_those_of_DRBD(StateChangeResult result, int number, bool succeeded)
    {
        Assert.Equal(number, (int)result);
        Assert.Equal(succeeded, result.Succeeded());
    }
}
