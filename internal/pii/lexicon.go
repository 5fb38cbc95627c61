//nolint:gosmopolitan // the words people write around their personal data; they are patterns, not copy
package pii

import "regexp"

// The words below are compared with the folded text, ASCII in lower case.
// Simplified and traditional spellings stand side by side.
var (
	// secretWords introduce a class C3 value; passwordWords may introduce one
	// that is not all digits.
	secretWords = []string{
		"验证码", "驗證碼", "校验码", "校驗碼", "动态码", "動態碼", "动态口令", "動態口令",
		"确认码", "授权码", "短信码", "安全码", "安全碼", "密码", "密碼", "口令", "有效期",
		"背面三位", "背面后三位", "背面3位", "背面后3位",
		"cvv2", "cvv", "cvc2", "cvc", "cvn2", "cvn", "otp", "password", "passwd", "pwd", "passcode",
		"verification code", "security code", "pin码",
	}
	valueWords = []string{
		"验证码", "驗證碼", "校验码", "动态码", "動態碼", "密码", "密碼", "口令",
		"password", "passwd", "pwd", "passcode", "otp",
	}
	expiryWord = "有效期"
	// otherNumbers between the word and the digits say that the digits are
	// something else: a card's tail, a phone, an order.
	otherNumbers = []string{
		"尾号", "尾號", "卡号", "卡號", "手机", "手機", "电话", "電話", "订单", "合同", "金额", "还款", "还了",
		"借了", "扣了", "扣款", "编号", "身份证", "客服", "热线", "短信", "拨打", "打了",
	}
	// units after the digits say that they are an amount, a time or a count.
	units = []string{
		"元", "块", "塊", "万", "萬", "千", "天", "次", "分钟", "分鐘", "秒", "小时", "小時", "年", "月", "日",
		"号", "號", "个", "個", "位", "条", "%", "rmb", "多", "点",
	}
	// isSecret turns "123456 is the code" round.
	isSecret = regexp.MustCompile(`([0-9]{4,8})(?:这个|這個)?[是为為](?:我的|我|你们发的|你們發的|收到的|短信|手机|手機|银行卡|支付|登录|登錄)*(?:验证码|驗證碼|校验码|动态码|動態碼|密码|密碼)`)
	// assigned is what may stand between a password's word and a value that is
	// not all digits.
	assigned = regexp.MustCompile(`^[ ]{0,2}(?:(?:就)?是|为|為|设的|設的|[:=])[:= ]{0,3}([!-)+-~]{4,32})`)
	// bare is a value right behind its word, without "is" or a colon.
	bare = regexp.MustCompile(`^ ?([!-)+-~]{6,32})`)

	idWords       = []string{"身份证", "身份證", "证件", "證件", "idcard", "id card", "sfz"}
	cardWords     = []string{"卡号", "卡號", "银行卡", "銀行卡", "储蓄卡", "储值卡", "信用卡", "借记卡", "工资卡", "还款卡", "绑卡", "账号", "賬號", "账户", "帐号", "card", "卡"}
	passportWords = []string{"护照", "護照", "passport"}
	permitWords   = []string{"通行证", "通行證", "回乡证", "回鄉證", "台胞证", "台胞證"}

	// digitHandleWords introduce a QQ number, letterHandleWords a WeChat id;
	// the ASCII ones need something between them and the id.
	digitHandleWords  = []string{"qq", "扣扣", "企鹅号"}
	letterHandleWords = []string{"微信", "v信", "威信", "wechat", "weixin", "vx", "wx"}
	handleGap         = []string{"号码", "号", "是", "为", "账号", "id", ":", " ", "="}

	plateProvinces = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领"
	// The branch of the six-character plates of new-energy cars comes first, or
	// their last character would be cut off.
	plate = regexp.MustCompile(`[` + plateProvinces + `][A-HJ-NP-Z][·•. ]?(?:[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK]|[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳])`)

	// admin is one level of province, city, district; it stays readable.
	admin = regexp.MustCompile(`\p{Han}{2,7}?(?:省|自治区|自治州|市|区|區|县|縣|旗)`)
	// street is a named place, door a numbered one.
	street       = `(?:[\p{Han}A-Za-z0-9]{1,10}?(?:路|街|大道|道|巷|胡同|镇|鎮|乡|鄉|村|屯|小区|小區|花园|花園|家园|公寓|大厦|大廈|广场|苑))`
	door         = `(?:[0-9一二三四五六七八九十百零〇甲乙丙丁A-Za-z\-]{1,6}(?:号楼|号院|号|號|弄|栋|棟|幢|座|单元|單元|楼|樓|层|室|房|组|队)[ ,，]?)`
	address      = regexp.MustCompile(`(` + admin.String() + `){0,4}(` + street + `){1,4}(` + door + `){1,6}(?:[0-9]{3,4})?`)
	streetOne    = regexp.MustCompile(street)
	doorOne      = regexp.MustCompile(door)
	doorWords    = []string{"号", "號", "弄", "栋", "棟", "幢", "座", "单元", "單元", "楼", "樓", "室", "房"}
	streetWords  = []string{"路", "街", "道", "巷", "胡同", "镇", "鎮", "乡", "鄉", "村", "屯", "小区", "小區", "花园", "花園", "家园", "公寓", "大厦", "大廈", "广场", "苑"}
	addressWords = []string{"住址", "地址", "家住", "住在", "住", "寄到", "寄给", "位于", "户籍", "家在", "在"}

	nameWords    = []string{"我叫", "姓名", "我的名字叫", "我的名字是", "名字叫", "名字是", "真名", "户名", "联系人", "收款人", "持卡人", "借款人", "本人"}
	roleWords    = []string{"联系人", "收款人", "持卡人", "借款人"}
	nameGap      = []string{"是", "为", "叫", ":", " "}
	compoundName = []string{
		"欧阳", "歐陽", "太史", "端木", "上官", "司马", "司馬", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛", "諸葛",
		"尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容", "仲孙", "钟离", "长孙",
		"宇文", "司徒", "鲜于", "司空", "令狐",
	}
	surnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤" +
		"張劉陳楊黃趙吳孫馬羅鄭謝許韓馮鄧蕭葉蘇魏呂盧鍾譚陸賈韋鄒顧龔錢嚴湯" +
		"温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单裴霍涂成苗谷曲盛冉路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝"
	// looseSurnames are also everyday words; after the formal "I, the
	// undersigned" they start a sentence more often than a name.
	looseSurnames = "和解查申余包费支严常程符于万向方文成安时和全应解单车项连明师商查从路关管古米左白高金马石江毛任何许莫易关简席党边全尚"
	// afterName may follow a name directly.
	afterName = []string{"身份证", "电话", "手机", "联系", "男", "女", "的", "，", ",", "。", "先生", "女士", "已", "于", "在", "要", "想", "申请", "投诉"}
)
