using BlockRepl.Platform.Loop;
using Xunit;

namespace BlockRepl.Platform.Tests;

public sealed class EventLoopTests
{
    public static TheoryData<RingBackend> Backends => new(RingBackend.IoUring, RingBackend.Epoll);

    [Theory]
    [MemberData(nameof(Backends))]
    public void Posted_work_runs_on_the_loop_in_order(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var seen = new List<int>();
        for (var i = 0; i < 1000; i++)
        {
            var value = i;
            Assert.True(test.Loop.Post(() => seen.Add(test.Loop.IsLoopThread ? value : -1)));
        }

        test.Run(() => { });
        Assert.Equal(Enumerable.Range(0, 1000), seen);
    }

    [Fact]
    public void A_loop_whose_work_comes_from_several_threads_at_once_allocates_nothing()
    {
        using var test = new LoopFixture(RingBackend.Epoll);
        using var question = new AllocationQuestion();
        var before = question.Ask(test.Loop);
        for (var round = 0; round < 20; round++)
        {
            var posters = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
            {
                for (var i = 0; i < 5000; i++)
                {
                    test.Loop.Post(Nothing.Instance);
                }
            })).ToArray();
            Array.ForEach(posters, p => p.Start());
            Array.ForEach(posters, p => p.Join());
        }

        Assert.Equal(0, question.Ask(test.Loop) - before);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Timer_fires_once_and_not_before_its_time(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var fired = new List<long>();
        using var done = new ManualResetEventSlim();
        long deadline = 0;
        test.Run(() =>
        {
            var timer = test.Loop.CreateTimer(new TimerAction(now =>
            {
                fired.Add(now);
                done.Set();
            }));
            deadline = test.Loop.NowNs + 20_000_000;
            timer.DeadlineNs = deadline;
        });
        Assert.True(done.Wait(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        test.Run(() => { });
        Assert.Single(fired);
        Assert.True(fired[0] >= deadline);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void End_of_batch_comes_after_the_posted_work_of_the_turn(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var log = new List<string>();
        test.Run(() => test.Loop.AddBatchHandler(new BatchAction(() => log.Add("batch"))));
        test.Run(() => log.Add("work"));
        test.Run(() => { });
        Assert.Equal("batch", log[log.IndexOf("work") + 1]);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Post_to_a_stopped_loop_says_that_it_will_not_run(RingBackend backend)
    {
        var test = new LoopFixture(backend);
        test.Dispose();
        Assert.False(test.Loop.Post(() => { }));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Exception_of_a_callback_reaches_the_fault_handler_and_stops_the_loop(RingBackend backend)
    {
        using var done = new ManualResetEventSlim();
        Exception? seen = null;
        using var loop = new EventLoop(new EventLoopOptions
        {
            Backend = backend,
            Fault = e =>
            {
                seen = e;
                done.Set();
            },
        });
        loop.Start();
        loop.Post(() => throw new InvalidOperationException("on purpose"));
        Assert.True(done.Wait(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        Assert.IsType<InvalidOperationException>(seen);
    }

    private sealed class Nothing : ILoopTask
    {
        public static readonly Nothing Instance = new();

        public void Run()
        {
        }
    }

    private sealed class AllocationQuestion : ILoopTask, IDisposable
    {
        private readonly ManualResetEventSlim _done = new();
        private long _bytes;

        public long Ask(EventLoop loop)
        {
            _done.Reset();
            Assert.True(loop.Post(this));
            Assert.True(_done.Wait(TimeSpan.FromSeconds(20)));
            return _bytes;
        }

        public void Dispose() => _done.Dispose();

        public void Run()
        {
            _bytes = GC.GetAllocatedBytesForCurrentThread();
            _done.Set();
        }
    }

    private sealed class TimerAction(Action<long> action) : ILoopTimerHandler
    {
        public void OnTimer(long nowNs) => action(nowNs);
    }

    private sealed class BatchAction(Action action) : IBatchHandler
    {
        public void OnEndOfBatch(long nowNs) => action();
    }
}
